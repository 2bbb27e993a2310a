import Reactor

/// What a run was asked to do: the options of the command line, read and checked.
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
    var printsManual = false

    /// Whether there is a script besides standard input that is read line by line.
    var hasScript: Bool { !files.isEmpty || !lines.isEmpty }

    /// Reads the command line, whose words carry any bytes.
    ///
    /// The option library takes most of the time of a start, so a command line without options, as most scripts and the
    /// prompt have it, is read here.
    static func read(_ arguments: [SystemString]) throws -> Invocation {
        let isPlain =
            !arguments.contains { $0.bytes.first == UInt8(ascii: "-") }
            && Environment.setting(Options.scaleVariable) == nil
        return isPlain
            ? Invocation(files: arguments) : try Options.parse(arguments.map(\.description.inOneLine)).invocation
    }
}
