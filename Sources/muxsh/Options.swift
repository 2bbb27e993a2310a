import ArgumentParser
import Commands
import Engine
import Results
import Glibc
import Reactor
import Script
import Wire

/// The options and arguments of the command line.
struct Options: ParsableArguments, ParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "muxsh",
        abstract: "Talk to many servers simultaneously, from a prompt, a script or a pipe.",
        discussion: """
            Without FILE and -c: a prompt when standard input is a terminal; otherwise each line of standard input runs as \
            it arrives. See muxsh(1), and muxsh(5) for the language.
            """,
        version: "muxsh \(version)")

    @ArgumentParser.Argument(
        help: ArgumentHelp("Run these scripts one after the other; - is standard input.", valueName: "file"))
    var files: [SystemString] = []

    @Option(
        name: .customShort("c"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp("Run LINE; repeat for more lines.", valueName: "line"))
    var lines: [SystemString] = []

    @Option(
        name: .customShort("o"),
        help: ArgumentHelp("Open a session before the script or the prompt.", valueName: "name=address"))
    var sessions: [Assignment] = []

    @Option(name: .customShort("D"), help: ArgumentHelp("Set a variable.", valueName: "name=value"))
    var definitions: [Assignment] = []

    @Flag(name: .customShort("i"), help: "Stay at the prompt after the script, with its sessions open.")
    var staysAtPrompt = false

    @Flag(name: [.customShort("n"), .customLong("check")], help: "Check the scripts without connecting to anything.")
    var checksOnly = false

    @Flag(name: .shortAndLong, help: "Show no transcript.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "Also show commands, skipped data and timing.")
    var verbose = false

    @Flag(help: "Prefix transcript lines with seconds since the start.")
    var timestamps = false

    @Option(help: ArgumentHelp("Default time limit of a wait, such as 200ms or 1m (5s).", valueName: "d"))
    var timeout: TimeLimit?

    @Option(help: ArgumentHelp("Multiply time limits by X, for slow machines.", valueName: "x"))
    var timeoutScale: Scale?

    @Option(help: ArgumentHelp("Time limit of the whole run, such as 30s or 5m.", valueName: "d"))
    var maxTime: TimeLimit?

    @Option(
        help: ArgumentHelp(
            "Longest silence at the end of input, such as 200ms or 5s (1s).", valueName: "d"))
    var linger: TimeLimit?

    @Option(help: ArgumentHelp("Also write the transcript to FILE.", valueName: "file"))
    var transcript: SystemString?

    @Option(help: ArgumentHelp("Let other prompts attach at a Unix socket: muxsh attach PATH.", valueName: "path"))
    var control: SystemString?

    @Option(
        name: .customLong("report"),
        help: ArgumentHelp(
            "Report results as tap, junit, jsonl, html or hdr, on standard output or in FILE.",
            valueName: "format[=file]"))
    var reports: [ReportRequest] = []

    @Option(help: ArgumentHelp("Run only the tests whose names match.", valueName: "regex"))
    var filter: SystemString?

    @Flag(help: "Continue after statements of standard input that fail.")
    var keepGoing = false

    @Flag(help: "End the run at the first failed test.")
    var failFast = false

    @Option(
        name: .customLong("repeat"), help: ArgumentHelp("Run each test N times; name the flaky ones.", valueName: "n"))
    var rounds: Rounds?

    @Option(
        help: ArgumentHelp("Run neighbouring tests in random order, or in that of SEED.", valueName: "seed"))
    var shuffle: ShuffleSeed?

    @Flag(name: .customLong("list"), help: "List the tests without running them.")
    var listsTests = false

    @Option(
        help: ArgumentHelp(
            "Rewrite the expected lines that differ (write, the default), or only show them (check).",
            valueName: "mode"))
    var bless: BlessMode?

    @Flag(help: "Run the FILEs several times and make them hold: what changes becomes patterns and captures.")
    var learn = false

    @Option(help: ArgumentHelp("Number of runs of --learn (3).", valueName: "n"))
    var runs: Rounds?

    @Option(help: ArgumentHelp("Seed of ${random}, to repeat a run (0 to 4294967295).", valueName: "n"))
    var seed: UInt32?

    @Option(help: ArgumentHelp("Colours: auto, always or never.", valueName: "when"))
    var color = ColorChoice.auto

    /// Prints the command section of muxsh(5), for scripts/manual.
    @Flag(name: .customLong("manual-commands"), help: .hidden)
    var printsManual = false

    /// Prints the syntax file of an editor, for scripts/manual.
    @Option(name: .customLong("editor-syntax"), help: .hidden)
    var editorSyntax: EditorSyntax.Editor?

    /// The environment variable for --timeout-scale.
    static let scaleVariable: SystemString = "MUXSH_TIMEOUT_SCALE"

    /// The options as plain values.
    var invocation: Invocation {
        let scale = timeoutScale ?? Environment.setting(Self.scaleVariable).flatMap { Scale(argument: $0.description) }
        var invocation = Invocation(
            files: files, lines: lines, sessions: sessions, definitions: definitions, staysAtPrompt: staysAtPrompt,
            checksOnly: checksOnly, isQuiet: quiet, isVerbose: verbose, showsTimestamps: timestamps)
        invocation.timeout = timeout?.duration
        invocation.timeoutScale = scale?.factor ?? 1
        invocation.maxTime = maxTime?.duration
        invocation.linger = linger?.duration
        invocation.transcript = transcript
        invocation.color = color
        invocation.control = control.map(Invocation.socketPath)
        invocation.reports = reports
        invocation.filter = filter
        invocation.seed = seed
        invocation.stopsAtFailure = failFast
        invocation.keepsGoing = keepGoing
        invocation.rounds = rounds?.count ?? 1
        invocation.shuffle = shuffle
        invocation.listsTests = listsTests
        invocation.bless = bless
        invocation.learningRuns = learn ? runs?.count ?? 3 : nil
        invocation.printsManual = printsManual
        invocation.editorSyntax = editorSyntax
        return invocation
    }

    func validate() throws {
        for session in sessions {
            if let problem = Parameter.Kind.newSession.problem(with: Array(session.name.utf8)) {
                throw ValidationError("-o \(session.name)=\(session.value): \(problem)")
            }
            do throws(AddressError) {
                _ = try Address(parsing: session.value)
            } catch {
                throw ValidationError("-o \(session.name)=\(session.value): \(visible(error.message))")
            }
        }
        for definition in definitions {
            if let problem = Parameter.Kind.newVariable.problem(with: Array(definition.name.utf8)) {
                throw ValidationError("-D \(definition.name)=\(definition.value): \(problem)")
            }
        }
        if let transcript, files.contains(transcript) {
            throw ValidationError("--transcript would overwrite the script \(transcript)")
        }
        for (option, limit) in [("--timeout", timeout), ("--max-time", maxTime), ("--linger", linger)] {
            if let problem = limit?.problem { throw ValidationError("\(option): \(problem)") }
        }
        try validateReports()
        if let text = Environment.setting(Self.scaleVariable), Scale(argument: text.description) == nil {
            throw ValidationError(
                "\(Self.scaleVariable) is '\(text.description.inOneLine)'; it takes a number above 0, such as 2.5")
        }
        if staysAtPrompt && isatty(STDIN_FILENO) == 0 { throw ValidationError("-i needs a terminal") }
        if bless != nil, files.isEmpty || !lines.isEmpty || files.contains("-") || staysAtPrompt {
            throw ValidationError("--bless needs FILEs, and allows neither -c, - nor -i")
        }
        if learn, files.isEmpty || !lines.isEmpty || files.contains("-") || staysAtPrompt || bless != nil {
            throw ValidationError("--learn needs FILEs, and allows neither -c, -, -i nor --bless")
        }
        if learn, !reports.isEmpty || transcript != nil {
            throw ValidationError("--learn runs the FILEs several times: it writes neither a report nor a transcript")
        }
        if runs != nil, !learn { throw ValidationError("--runs is the number of runs of --learn") }
        if keepGoing, !files.isEmpty || !lines.isEmpty || staysAtPrompt {
            throw ValidationError("--keep-going is for statements from standard input, without FILE, -c and -i")
        }
        for (option, isGiven) in [("--check", checksOnly), ("--list", listsTests), ("--shuffle", shuffle != nil)]
        where isGiven && files.isEmpty && lines.isEmpty {
            throw ValidationError("\(option) needs a FILE (- for standard input) or -c")
        }
    }
}

extension Options {
    private func validateReports() throws {
        if reports.count(where: { $0.path == nil }) > 1 {
            throw ValidationError("only one --report can go to standard output; write --report tap=FILE")
        }
        for case let path? in reports.map(\.path) where files.contains(path) {
            throw ValidationError("--report would overwrite the script \(path)")
        }
        if let filter {
            do throws(RegexError) {
                _ = try Regex(filter.bytes)
            } catch {
                throw ValidationError("--filter \(filter): bad regex: \(visible(error.message))")
            }
        }
        if staysAtPrompt && reports.contains(where: { $0.path == nil }) {
            throw ValidationError("-i cannot be combined with a --report on standard output; write --report tap=FILE")
        }
    }
}

/// `FORMAT` or `FORMAT=FILE`.
struct ReportRequest: ExpressibleByArgument {
    let format: Reports.Format
    /// Nil for standard output.
    let path: SystemString?

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let format = Reports.Format(rawValue: String(parts[0])), parts.count == 1 || !parts[1].isEmpty else {
            return nil
        }
        self.format = format
        path = parts.count == 2 ? SystemString(String(parts[1]).losslessBytes) : nil
    }

    static var allValueStrings: [String] { Reports.Format.allCases.map(\.rawValue) }
}

/// Bytes as received from the system; the option library carries them in a string.
extension SystemString: ExpressibleByArgument {
    public init?(argument: String) {
        self.init(argument.losslessBytes)
    }
}

/// `NAME=TEXT`; the text carries any bytes.
struct Assignment: ExpressibleByArgument {
    let name: String
    let value: String

    init(name: String, value: String) {
        self.name = name
        self.value = value
    }

    init?(argument: String) {
        guard let equals = argument.firstIndex(of: "=") else { return nil }
        name = String(argument[..<equals])
        value = String(argument[argument.index(after: equals)...])
    }
}

/// A duration as an option: `5s`, `200ms`.
struct TimeLimit: ExpressibleByArgument {
    /// Nil when it is too long.
    let duration: Duration?
    /// The reason why it is not allowed, as text; nil when it is.
    let problem: String?

    init?(argument: String) {
        duration = Literals.duration(argument)
        problem = duration == nil ? Literals.tooLong(argument) : nil
        if duration == nil && problem == nil { return nil }
    }
}

extension EditorSyntax.Editor: ExpressibleByArgument {}

/// What --bless does with expected lines that differ.
enum BlessMode: String, CaseIterable, ExpressibleByArgument {
    case write, check
}

/// How often each test runs.
struct Rounds: ExpressibleByArgument {
    let count: Int

    init?(argument: String) {
        guard let count = Literals.count(argument), (1...1_000_000).contains(count) else { return nil }
        self.count = count
    }
}

/// The seed of --shuffle, which may be omitted.
struct ShuffleSeed: ExpressibleByArgument {
    /// The argument for a seed that is omitted: the option library always takes one.
    static let omitted = "random"

    let seed: UInt32
    let isChosen: Bool

    init?(argument: String) {
        isChosen = argument != Self.omitted
        guard let seed = isChosen ? UInt32(argument) : .random(in: 0...UInt32.max) else { return nil }
        self.seed = seed
    }
}

/// A positive factor.
struct Scale: ExpressibleByArgument {
    let factor: Double

    init?(argument: String) {
        guard let factor = Double(argument), factor > 0, factor <= 1000 else { return nil }
        self.factor = factor
    }
}

/// When to use colors.
enum ColorChoice: String, CaseIterable, ExpressibleByArgument {
    case auto, always, never

    /// Whether output on `descriptor` is colored: with `auto` on a terminal that supports it, unless NO_COLOR is set.
    func isColored(_ descriptor: Int32) -> Bool {
        switch self {
        case .always: true
        case .never: false
        case .auto:
            isatty(descriptor) == 1 && Environment.setting("NO_COLOR") == nil
                && Self.knowsColors(Environment.setting("TERM")?.description ?? "")
        }
    }

    /// Whether a terminal of this type can be trusted to support colors: the DEC terminals had none.
    private static func knowsColors(_ terminal: String) -> Bool {
        let isOfDEC = terminal.hasPrefix("vt") && terminal.dropFirst(2).first?.isNumber == true
        return !["", "dumb", "unknown", "network"].contains(terminal) && !isOfDEC
    }
}
