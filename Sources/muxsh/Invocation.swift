import Commands
import Glibc
import Options
import Reactor
import Sockets
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
    /// Nil without --timeout-scale and its variable.
    var timeoutScale: Double?
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
    /// Nil for once.
    var rounds: Int?
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
    /// The number of runs that --runs asks for; nil without it.
    var requestedRuns: Int?
    /// What is printed instead of a run; nil for a run.
    var request: Request?

    /// A text about the program itself.
    enum Request {
        case text(String)
        case commandSection
        case editorSyntax(EditorSyntax.Editor)
    }

    /// The environment variable for --timeout-scale.
    private static let scaleVariable: SystemString = "MUXSH_TIMEOUT_SCALE"

    /// Whether there is a script other than standard input read line by line.
    var hasScript: Bool { !files.isEmpty || !lines.isEmpty }

    /// Parses the command line, whose arguments carry any bytes.
    static func read(_ arguments: [SystemString]) throws(UsageError) -> Invocation {
        var invocation = Invocation()
        switch try options.parse(arguments, into: &invocation) {
        case .run(let files): invocation.files = files
        case .text(let text): invocation.request = .text(text)
        }
        if invocation.request != nil { return invocation }
        if let text = Environment.setting(scaleVariable) {
            let scale = try scale(text, of: scaleVariable.description)
            invocation.timeoutScale = invocation.timeoutScale ?? scale
        }
        try invocation.takeAttachment()
        invocation.takeAddresses()
        try invocation.validate()
        return invocation
    }

    /// Makes `attach PATH` what it says; a script of that name is `./attach`.
    private mutating func takeAttachment() throws(UsageError) {
        guard files.first == "attach", files.count != 1 || "attach".withCString({ access($0, F_OK) }) != 0 else {
            return
        }
        guard files.count == 2 else {
            throw UsageError(nil, "attach takes one path", hint: "write muxsh attach PATH [-c LINE]")
        }
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

    /// Throws what is wrong with options that exclude one another.
    private mutating func validate() throws(UsageError) {
        let isForFiles = !files.isEmpty && lines.isEmpty && !files.contains("-") && !staysAtPrompt
        if bless != nil, !isForFiles {
            throw UsageError(nil, "--bless needs FILEs, and allows neither -c, - nor -i", hint: "name the scripts")
        }
        if learningRuns != nil, !isForFiles || bless != nil {
            throw UsageError(
                nil, "--learn needs FILEs, and allows neither -c, -, -i nor --bless", hint: "name the scripts")
        }
        if learningRuns != nil, !reports.isEmpty || transcript != nil {
            throw UsageError(
                nil, "--learn runs the FILEs several times: it writes neither a report nor a transcript",
                hint: "run them once more for these")
        }
        if let requestedRuns {
            guard learningRuns != nil else {
                throw UsageError(nil, "--runs is the number of runs of --learn", hint: "add --learn")
            }
            learningRuns = requestedRuns
        }
        if keepsGoing, hasScript || staysAtPrompt {
            throw UsageError(
                nil, "--keep-going is for statements from standard input, without FILE, -c and -i",
                hint: "use 'try' in a script")
        }
        for (option, isGiven) in [("--check", checksOnly), ("--list", listsTests), ("--shuffle", shuffle != nil)]
        where isGiven && !hasScript {
            throw UsageError(nil, "\(option) needs a FILE or -c", hint: "write - for standard input")
        }
        if staysAtPrompt && isatty(STDIN_FILENO) == 0 {
            throw UsageError(nil, "-i needs a terminal", hint: "leave it out in a pipe")
        }
        try validateOutputs()
    }

    private func validateOutputs() throws(UsageError) {
        if let transcript, files.contains(transcript) {
            throw UsageError(
                nil, "--transcript would overwrite the script \(transcript.description)", hint: "name another file")
        }
        for case let path? in reports.map(\.path) where files.contains(path) {
            throw UsageError(
                nil, "--report would overwrite the script \(path.description)", hint: "name another file")
        }
        if reports.count(where: { $0.path == nil }) > 1 {
            throw UsageError(nil, "only one --report can go to standard output", hint: "write --report tap=FILE")
        }
        if staysAtPrompt && reports.contains(where: { $0.path == nil }) {
            throw UsageError(
                nil, "-i cannot be combined with a --report on standard output", hint: "write --report tap=FILE")
        }
    }
}
