import Glibc
import Reactor
import Results
import Script
import VM
import Wire

typealias TerminalSize = (rows: Int, columns: Int)

/// The options of `spawn` and `run` that set up the program: its directory, environment and standard input.
struct ProgramSetup {
    private let directory: Value<SystemString>?
    private let environment: [Value<SystemString>]
    /// The file that is its standard input.
    let input: Value<SystemString>?

    /// `run` has no file as its input: there, --input is a text.
    init(_ call: CommandCall, hasInputFile: Bool = true) {
        directory = call.value(ofOption: "--cd").map { Value(path: $0) }
        environment = call.values(ofOption: "--env").map { argument in
            Value(argument, .checked(assignmentProblem)) { assignmentProblem($0) == nil ? SystemString($0) : nil }
        }
        input = hasInputFile ? call.value(ofOption: "--input").map { Value(path: $0) } : nil
    }

    /// Applies the options. Throws if the directory or the file does not exist.
    func apply(to request: inout ChildRequest, _ strand: Strand) throws(Failure) {
        if let directory = try directory?.evaluate(in: strand) {
            var status = stat()
            guard directory.withCString({ stat($0, &status) }) == 0 else {
                throw Failure(.connection, "--cd \(directory): \(lastErrorMessage())")
            }
            guard status.st_mode & S_IFMT == S_IFDIR else {
                throw Failure(.connection, "--cd \(directory): not a directory")
            }
            request.directory = directory
        }
        for variable in environment { request.environment.append(try variable.evaluate(in: strand)) }
        if let path = try input?.evaluate(in: strand) {
            let number = path.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NOCTTY) }
            guard number >= 0 else { throw Failure(.connection, "cannot read \(path): \(lastErrorMessage())") }
            let file = SharedDescriptor(Descriptor(owning: number))
            var status = stat()
            guard fstat(number, &status) != 0 || status.st_mode & S_IFMT != S_IFDIR else {
                throw Failure(.connection, "cannot read \(path): it is a directory")
            }
            request.input = file
        }
    }
}

/// Returns the problem with `NAME=VALUE`, or nil.
func assignmentProblem(_ bytes: [UInt8]) -> String? {
    let text = Escapes.visible(bytes)
    guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")), equals > 0 else {
        return "write NAME=VALUE, not '\(text)'"
    }
    return bytes.contains(0) ? "an environment variable cannot contain a NUL byte" : nil
}

/// Whether a text has the form `24x80`.
func looksLikeTerminalSize(_ text: String) -> Bool {
    let parts = text.split(separator: "x", omittingEmptySubsequences: false)
    return parts.count == 2 && parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }
}

/// Returns the size that `24x80` stands for; nil for anything else.
func terminalSize(_ text: String) -> TerminalSize? {
    let parts = text.split(separator: "x", omittingEmptySubsequences: false)
    guard looksLikeTerminalSize(text),
        let rows = Int(parts[0]), let columns = Int(parts[1]), (1...1000).contains(rows), (1...1000).contains(columns)
    else { return nil }
    return (rows, columns)
}

/// Returns the problem with the size of a terminal, or nil.
func terminalSizeProblem(_ bytes: [UInt8]) -> String? {
    terminalSize(Escapes.visible(bytes)) == nil
        ? "'\(Escapes.visible(bytes))' is not a terminal size; write 24x80 (1 to 1000 rows and columns)" : nil
}

extension Value where Result == TerminalSize {
    convenience init(terminalSize argument: Argument) {
        self.init(argument, .checked(terminalSizeProblem)) { terminalSize(Escapes.visible($0)) }
    }
}
