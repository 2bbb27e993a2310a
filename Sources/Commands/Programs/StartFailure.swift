import Glibc
import Reactor
import Results
import Script
import Wire

/// Why a program cannot be started, as a failure with hints.
struct StartFailure {
    private let request: ChildRequest
    /// The beginning of the message: `NAME: `, or empty.
    private let subject: String
    /// The beginning of the command, for hints: `spawn NAME`.
    private let command: String

    init(_ request: ChildRequest, _ subject: String, command: String) {
        self.request = request
        self.subject = subject
        self.command = command
    }

    /// Returns the failure of the script.
    func failure(_ failure: WireFailure) -> Failure {
        let program = request.program.description
        let isMissing = failure.isMissingFile
        let problem = isMissing && !program.contains("/") ? "not found in PATH" : failure.message
        // The file exists: its interpreter or loader is missing.
        if isMissing, program.contains("/"), request.program.withCString({ access($0, F_OK) }) == 0 {
            return Failure(.connection, "\(subject)cannot start \(quotedArgument(program)): \(missingInterpreter)")
        }
        return Failure(
            .connection, "\(subject)cannot start \(quotedArgument(program)): \(problem)",
            details: isMissing ? hint(for: program) : [])
    }

    /// The missing program in the first line of a script (execve(2), Interpreter scripts), or whatever else is missing.
    private var missingInterpreter: String {
        let descriptor = request.program.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else { return "its interpreter does not exist" }
        let file = Descriptor(owning: descriptor)
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = read(file.number, &bytes, bytes.count)
        guard count > 2, bytes.starts(with: "#!".utf8) else { return "its dynamic loader does not exist" }
        let line = bytes[2..<count].prefix { $0 != UInt8(ascii: "\n") }
        let interpreter = line.drop { $0 == 0x20 || $0 == 0x09 }.prefix { $0 != 0x20 && $0 != 0x09 }
        let hint = interpreter.last == UInt8(ascii: "\r") ? " (the file has CRLF line endings)" : ""
        return "its interpreter \(Escapes.visible(interpreter)) does not exist\(hint)"
    }

    /// Returns a hint for syntax that only a shell understands.
    private func hint(for program: String) -> [String] {
        if program.contains(" ") {
            return [
                "\(command.prefix { $0 != " " }) does not run a shell: pass each argument separately, or write: \(command) sh -c \(quotedArgument(program))"
            ]
        }
        if program.contains("=") {
            return ["to set an environment variable, write: \(command) env \(program) COMMAND"]
        }
        return []
    }
}
