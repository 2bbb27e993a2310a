import Glibc

/// What a run was asked to do: the options of the command line, read and checked.
struct Invocation {
    var files: [String] = []
    /// The lines of -c: one script.
    var lines: [String] = []
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
    var transcript: String?
    var color = ColorChoice.auto
    var reports: [ReportRequest] = []
    /// The tests to run, by name; nil for all.
    var filter: String?
    var printsManual = false

    /// Reads the command line.
    ///
    /// The option library takes most of the time of a start, so a command line without options, as most scripts and the
    /// prompt have it, is read here.
    static func read(_ arguments: [String]) throws -> Invocation {
        let isPlain = !arguments.contains { $0.hasPrefix("-") } && getenv(Options.scaleVariable) == nil
        return isPlain ? Invocation(files: arguments) : try Options.parse(arguments).invocation
    }
}
