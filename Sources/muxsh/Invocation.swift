import Reactor

/// The request for a run: the options of the command line, parsed and checked.
struct Invocation {
    var files: [SystemString] = []
    /// The lines of -c: one script.
    var lines: [SystemString] = []
    var sessions: [Assignment] = []
    var definitions: [Assignment] = []
    var staysAtPrompt = false
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
    var printsManual = false

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
        return isPlain
            ? Invocation(files: arguments) : try Options.parse(arguments.map(\.description.inOneLine)).invocation
    }
}
