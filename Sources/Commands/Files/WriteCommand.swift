import Engine
import Glibc
import Reactor
import Results
import Script
import VM

/// `write`: writes a text to a file.
struct WriteCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "write", summary: "write text to a file",
            forms: [Form(.parameter(Parameter("PATH", .path)), .parameter(Parameter("TEXT", .text)))],
            options: [CommandOption("--append", "add to the file instead of replacing it")],
            text: """
                The file then contains exactly TEXT: no line ending is added. A new file gets mode 600. PATH is \
                constant or begins with ${tmp}/, so that received data cannot choose a file.
                """,
            examples: [
                "write ${tmp}/input \"one\\ntwo\\n\"", "write --append log.txt <<END\nthe end\nEND",
            ],
            caveats: [
                "Only regular files can be written."
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let path = try call.required("PATH")
        let isInside = path.template.isInside(directory: "tmp")
        guard path.literal != nil || isInside else {
            throw ScriptError(
                path.range, "the path must be constant or begin with ${tmp}/",
                hint: "received data must not choose the file: write ${tmp}/name")
        }
        compiler.emit(
            WriteInstruction(
                path: Value(path: path), isInside: isInside, text: Value(text: try call.required("TEXT")),
                appends: call.has(option: "--append"), range: call.range))
    }
}

private struct WriteInstruction: Instruction {
    let path: Value<SystemString>
    /// Whether the file is in the private directory, which it must not leave.
    let isInside: Bool
    let text: Value<[UInt8]>
    let appends: Bool
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let path = try path.evaluate(in: strand)
        if isInside, path.bytes.split(separator: UInt8(ascii: "/")).contains(Array("..".utf8)[...]) {
            throw Failure(.expectation, "'\(path)' leaves the private directory", range: range)
        }
        try writeFile(path, try text.evaluate(in: strand), appends: appends)
        return .next
    }
}

/// Writes a regular file, which is new or replaced, or adds to it. A new file is private to its owner.
func writeFile(_ path: SystemString, _ bytes: [UInt8], appends: Bool = false) throws(Failure) {
    func failure() -> Failure { Failure(.connection, "cannot write \(path): \(lastErrorMessage())") }
    let flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (appends ? O_APPEND : 0)
    let number = path.withCString { open($0, flags, 0o600) }
    guard number >= 0 else { throw failure() }
    let file = Descriptor(owning: number)
    var status = stat()
    guard fstat(file.number, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
        throw Failure(.connection, "cannot write \(path): not a regular file")
    }
    if !appends, ftruncate(file.number, 0) != 0 { throw failure() }
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { Glibc.write(file.number, $0.baseAddress, $0.count) }
        if count < 0, errno != EINTR { throw failure() }
        rest = rest.dropFirst(max(0, count))
    }
}
