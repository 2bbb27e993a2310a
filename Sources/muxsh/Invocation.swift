import ArgumentParser
import Commands
import Glibc
import Reactor
import Wire

/// The request for a run: the options of the command line, parsed and checked.
struct Invocation {
    var files: [SystemString] = []
    /// The lines of -c: one script.
    var lines: [SystemString] = []
    var sessions: [Assignment] = []
    /// The names of the sessions whose addresses are arguments: the prompt begins in talk mode with them.
    var talks: [String] = []
    var definitions: [Assignment] = []
    var staysAtPrompt = false
    /// Whether a failure of a statement from standard input does not end the run.
    var keepsGoing = false
    var checksOnly = false
    var isQuiet = false
    var isVerbose = false
    var showsTimestamps = false
    var timeout: Duration?
    var timeoutScale = 1.0
    var maxTime: Duration?
    var linger: Duration?
    var transcript: SystemString?
    var color = ColorChoice.auto
    var reports: [ReportRequest] = []
    /// The tests to run, by name; nil for all.
    var filter: SystemString?
    /// The seed of `${random}`; nil for a different one in each run.
    var seed: UInt32?
    /// Whether the first failed test ends the run, and how often each test runs.
    var stopsAtFailure = false
    var rounds = 1
    /// The order of neighbouring tests; nil for that of the file.
    var shuffle: ShuffleSeed?
    var listsTests = false
    /// What happens to expected lines that differ; nil if they are failures.
    var bless: BlessMode?
    /// The number of runs of --learn; nil without it.
    var learningRuns: Int?
    /// The Unix socket at which other prompts may attach; nil for none.
    var control: SystemString?
    /// The run to attach to; nil to be a run.
    var attachment: SystemString?
    var printsManual = false
    /// The editor whose syntax file is printed; nil for none.
    var editorSyntax: EditorSyntax.Editor?

    /// Whether there is a script other than standard input read line by line.
    var hasScript: Bool { !files.isEmpty || !lines.isEmpty }

    /// Parses the command line, whose arguments carry any bytes.
    ///
    /// The option library takes most of the startup time. A command line without options, which is common for scripts
    /// and the prompt, is therefore parsed here.
    static func read(_ arguments: [SystemString]) throws -> Invocation {
        let isPlain =
            !arguments.contains { $0.bytes.first == UInt8(ascii: "-") }
            && Environment.setting(Options.scaleVariable) == nil
        var invocation =
            isPlain
            ? Invocation(files: arguments)
            : try Options.parse(arguments.map { completed($0.description.inOneLine) }).invocation
        try invocation.takeAttachment()
        invocation.takeAddresses()
        return invocation
    }

    /// Makes `attach PATH` what it says; a script of that name is `./attach`.
    private mutating func takeAttachment() throws {
        guard files.first == "attach", files.count != 1 || "attach".withCString({ access($0, F_OK) }) != 0 else {
            return
        }
        guard files.count == 2 else { throw ValidationError("attach takes one path: muxsh attach PATH [-c LINE]") }
        attachment = Self.socketPath(files[1])
        files = []
    }

    /// Returns the path of a Unix socket, which may be written as an address.
    static func socketPath(_ path: SystemString) -> SystemString {
        let scheme = Array("unix:".utf8)
        guard path.bytes.starts(with: scheme) else { return path }
        return SystemString(path.bytes.dropFirst(scheme.count)) ?? path
    }

    /// Turns the files that are addresses, and exist as no file, into sessions `a`, `b`, … to talk to.
    private mutating func takeAddresses() {
        var scripts: [SystemString] = []
        for argument in files {
            guard argument.bytes.contains(UInt8(ascii: ":")), argument.withCString({ access($0, F_OK) }) != 0,
                (try? Address(parsing: argument.bytes)) != nil, talks.count < 26
            else {
                scripts.append(argument)
                continue
            }
            talks.append(String(UnicodeScalar(UInt8(ascii: "a") + UInt8(talks.count))))
            sessions.append(Assignment(name: talks[talks.count - 1], value: argument.description))
        }
        files = scripts
    }

    /// Returns an argument with the value that it omits.
    private static func completed(_ argument: String) -> String {
        switch argument {
        case "--shuffle": "--shuffle=\(ShuffleSeed.omitted)"
        case "--bless": "--bless=\(BlessMode.write.rawValue)"
        default: argument
        }
    }
}
