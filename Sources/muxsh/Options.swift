import Commands
import Engine
import Glibc
import Options
import Reactor
import Results
import Script
import Sockets
import Wire

extension Invocation {
    /// The options of muxsh.
    static var options: OptionTable<Invocation> {
        OptionTable(
            program: "muxsh", purpose: "Talk to many servers simultaneously, from a prompt, a script or a pipe.",
            text: """
                Without FILE and -c: a prompt when standard input is a terminal; otherwise each line of standard input \
                runs as it arrives. See muxsh(1), and muxsh(5) for the language.
                """,
            operand: ("FILE", "Run these scripts one after the other; - is standard input."),
            options: scriptOptions + outputOptions + timeOptions + testOptions + otherOptions,
            nearest: { nearestSpelling(of: $0, among: $1) })
    }

    private static var scriptOptions: [ProgramOption<Invocation>] {
        [
            .init(
                "c", nil, .required("LINE"), "Run LINE; repeat for more lines.",
                details: "Several -c options form one script, which runs before the files.", repeats: true
            ) { $0.lines += [$1].compactMap(\.self) },
            .init(
                "o", nil, .required("NAME=ADDRESS"), "Open a session before the script or the prompt.",
                details: "Its options are the default ones. Can be repeated.", repeats: true
            ) { invocation, text throws(UsageError) in
                invocation.sessions.append(try session(text))
            },
            .init(
                "D", nil, .required("NAME=VALUE"), "Set a variable.", details: "Can be repeated.", repeats: true
            ) { invocation, text throws(UsageError) in
                invocation.definitions.append(try definition(text))
            },
            .flag(
                "i", nil, \.staysAtPrompt, "Stay at the prompt after the script, with its sessions open.",
                details: "So it does if the script has failed. The exit status is that of the script."),
            .flag("n", "check", \.checksOnly, "Check the scripts without connecting to anything."),
        ]
    }

    private static var outputOptions: [ProgramOption<Invocation>] {
        [
            .flag("q", "quiet", \.isQuiet, "Show no transcript."),
            .flag(
                "v", "verbose", \.isVerbose, "Also show commands, skipped data and timing.",
                details: """
                    Each command, the data that each expectation consumed, and the time it took are comments in the \
                    transcript. With tests, the slowest ones are named at the end.
                    """),
            .flag(nil, "timestamps", \.showsTimestamps, "Prefix transcript lines with seconds since the start."),
            .init(
                nil, "transcript", .required("FILE", .files), "Also write the transcript to FILE.",
                details: """
                    It is written after all scripts have been checked, without colours and timestamps. It is a script; \
                    the output of print is a comment in it. A new file gets mode 600; an existing file keeps its mode. \
                    Opening a FIFO waits for a reader.
                    """
            ) { $0.transcript = $1 },
            .choice(
                "color", "WHEN", \.color, "Colours: auto, always or never.",
                details: "With auto, the default, there are colours on a terminal that has them."),
        ]
    }

    private static var timeOptions: [ProgramOption<Invocation>] {
        [
            duration("timeout", \.timeout, "Default time limit of a wait, such as 200ms or 1m (5s)."),
            .init(
                nil, "timeout-scale", .required("X"), "Multiply time limits by X, for slow machines.",
                details: """
                    It applies to the default time limit and to the limits of within, open and retry. Exact durations \
                    (sleep, 'for D', 'every D', the linger time) are not scaled.
                    """
            ) { invocation, text throws(UsageError) in
                invocation.timeoutScale = try scale(text, of: "--timeout-scale")
            },
            duration(
                "max-time", \.maxTime, "Time limit of the whole run, such as 30s or 5m.",
                details: """
                    It includes the reading of scripts, and is at most a year. When it expires, the run fails and \
                    reports what it was waiting for.
                    """),
            duration(
                "linger", \.linger, "Longest silence at the end of input, such as 200ms or 5s (1s).",
                details: "See END OF INPUT."),
        ]
    }

    private static var testOptions: [ProgramOption<Invocation>] {
        [
            .init(
                nil, "report", .required("FORMAT[=FILE]", .values(Reports.Format.allCases.map(\.rawValue))),
                "Report results as tap, junit, jsonl, html or hdr, on standard output or in FILE.",
                details: """
                    tap is the Test Anything Protocol, version 14 (13 under prove), and junit is JUnit XML, with a \
                    suite for each file. jsonl is JSON Lines: one event a line, as it happens; see muxsh(7). html is \
                    one page with the results and each conversation as a diagram; it needs neither a network nor \
                    JavaScript. hdr is a log of HdrHistogram (format 1.3) with an interval for each name of 'time', in \
                    nanoseconds, for the tools that merge and plot such logs. A junit, html or hdr file is put in its \
                    place when it is complete, at the end of the run, however the run ends; until then an old file \
                    stays. A script with errors (status 2) does not begin, and no report is written. With a report on \
                    standard output, the transcript and the output of print go to standard error. A script without \
                    tests counts as one test. A failure outside of a test is reported as 'Bail out!' and ends the run. \
                    If all tests were skipped, the exit status is 0 and the report says so.
                    """,
                repeats: true
            ) { invocation, text throws(UsageError) in
                invocation.reports.append(try ReportRequest(text))
            },
            .init(
                nil, "filter", .required("REGEX"), "Run only the tests whose names match.",
                details: "If none does, the exit status is 1."
            ) { invocation, text throws(UsageError) in
                invocation.filter = try pattern(text)
            },
            .flag(nil, "fail-fast", \.stopsAtFailure, "End the run at the first failed test."),
            .number("repeat", 1...1_000_000, \.rounds, "Run each test N times; name the flaky ones."),
            .init(
                nil, "shuffle", .optional("SEED"), "Run neighbouring tests in random order, or in that of SEED.",
                details: "Without a SEED the run shows the one it has chosen."
            ) { invocation, text throws(UsageError) in
                invocation.shuffle = ShuffleSeed(
                    seed: text == nil
                        ? .random(in: 0...UInt32.max) : try parsedNumber(text, in: 0...UInt32.max, for: "--shuffle"),
                    isChosen: text != nil)
            },
            .flag(
                nil, "list", \.listsTests, "List the tests without running them.", details: "Their places are shown."),
            .init(
                nil, "bless", .optional("MODE", .values(BlessMode.allCases.map(\.rawValue))),
                "Rewrite the expected lines that differ (write, the default), or only show them (check).",
                details: """
                    The lines are those of the form 'T< text' in the scripts, and the changes are shown. Everything \
                    else in the files stays as it is. Lines that contain variables, ran with different results or are \
                    in an included file are named and left. Nothing is written if the run fails in any other way. The \
                    exit status is 0 if the files hold now; with check, it is 4 if there would be changes.
                    """
            ) { invocation, text throws(UsageError) in
                invocation.bless = text == nil ? .write : try chosen(text, for: "--bless")
            },
            .init(
                nil, "learn", .none,
                "Run the FILEs several times and make them hold: what changes becomes patterns and captures.",
                details: """
                    An expected line that changes becomes a pattern 'T<~' with the narrowest form that fits: digits, \
                    hexadecimal digits, a date, text without blanks, or anything; a part of a line becomes an \
                    'expect'. A value of six or more bytes that the server gave and the script sends back later, such \
                    as the identifier of a session, becomes a capture, and ${name} where it is sent. The changes are \
                    shown, and written when the script as changed has passed twice. Nothing is changed if a run fails \
                    otherwise, or if the order of lines changes: both are reported. Lines that contain variables stay.
                    """
            ) { invocation, _ in invocation.learningRuns = invocation.learningRuns ?? 3 },
            .number("runs", 1...1_000_000, \.requestedRuns, "Number of runs of --learn (3)."),
        ]
    }

    private static var otherOptions: [ProgramOption<Invocation>] {
        [
            .init(
                nil, "control", .required("PATH", .files),
                "Let other prompts attach at a Unix socket: muxsh attach PATH.", details: "See Attached prompts."
            ) { $0.control = $1.map(socketPath) },
            .flag(
                nil, "keep-going", \.keepsGoing, "Continue after statements of standard input that fail.",
                details: "A statement that contains an error counts too. The exit status is that of the first failure."),
            .number(
                "seed", 0...UInt32.max, \.seed, "Seed of ${random}, to repeat a run (0 to 4294967295).",
                details: "The same seed gives the same numbers. A failing run that used ${random} reports its seed."),
            // For scripts/manual.
            .init(nil, "manual-commands", .none, "", isHidden: true) { invocation, _ in
                invocation.request = .commandSection
            },
            .init(nil, "editor-syntax", .required("EDITOR"), "", isHidden: true) {
                invocation, text throws(UsageError) in
                invocation.request = .editorSyntax(try chosen(text, for: "--editor-syntax"))
            },
        ]
    }
}

// The arguments of options.
extension Invocation {
    /// An option that takes a duration.
    private static func duration(
        _ name: String, _ property: WritableKeyPath<Invocation, Duration?>, _ summary: String, details: String = ""
    ) -> ProgramOption<Invocation> {
        .init(nil, name, .required("D"), summary, details: details) { invocation, text throws(UsageError) in
            let text = text?.description ?? ""
            guard let duration = Literals.duration(text) else {
                if let problem = Literals.tooLong(text) { throw UsageError("--" + name, problem, hint: "write less") }
                throw UsageError(
                    "--" + name, "'\(text)' is not a duration",
                    hint: "write a number with a unit, such as 200ms, 5s or 1m")
            }
            invocation[keyPath: property] = duration
        }
    }

    private static func session(_ text: SystemString?) throws(UsageError) -> Assignment {
        let session = try Assignment(text, of: "-o", form: "-o NAME=ADDRESS, such as -o a=localhost:8080")
        if let problem = Parameter.Kind.newSession.problem(with: session.name.losslessBytes) {
            throw UsageError("-o \(session.name)=\(session.value)", problem, hint: "write -o NAME=ADDRESS")
        }
        do throws(AddressError) {
            _ = try Address(parsing: session.value)
        } catch {
            throw UsageError(
                "-o \(session.name)=\(session.value)", error.message, hint: "muxsh -c 'help open' lists the forms")
        }
        return session
    }

    private static func definition(_ text: SystemString?) throws(UsageError) -> Assignment {
        let definition = try Assignment(text, of: "-D", form: "-D NAME=VALUE")
        if let problem = Parameter.Kind.newVariable.problem(with: definition.name.losslessBytes) {
            throw UsageError("-D \(definition.name)=\(definition.value)", problem, hint: "write -D NAME=VALUE")
        }
        return definition
    }

    /// Returns a factor: more than 0, at most 1000.
    static func scale(_ text: SystemString?, of name: String) throws(UsageError) -> Double {
        guard let text = text?.description, let factor = Double(text), factor > 0, factor <= 1000 else {
            throw UsageError(
                name, "'\(text?.description ?? "")' is not a factor", hint: "write a number above 0, such as 2.5")
        }
        return factor
    }

    private static func pattern(_ text: SystemString?) throws(UsageError) -> SystemString? {
        do throws(RegexError) {
            _ = try Regex(text?.bytes ?? [])
        } catch {
            throw UsageError(
                "--filter \(text?.description ?? "")", "bad regex: \(error.message)",
                hint: "write a backslash before a character that means itself")
        }
        return text
    }
}

/// `FORMAT` or `FORMAT=FILE`.
struct ReportRequest {
    let format: Reports.Format
    /// Nil for standard output.
    let path: SystemString?

    init(_ text: SystemString?) throws(UsageError) {
        let parts = (text?.bytes ?? []).split(
            separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
        format = try chosen(parts.first.flatMap { SystemString($0) }, for: "--report")
        path = parts.count == 2 ? SystemString(parts[1]) : nil
        if path?.isEmpty == true {
            throw UsageError("--report", "'\(format.rawValue)=' has no file", hint: "write \(format.rawValue)=FILE")
        }
    }
}

/// `NAME=TEXT`; the text carries any bytes.
struct Assignment {
    let name: String
    let value: String

    init(name: String, value: String) {
        self.name = name
        self.value = value
    }

    /// Reads the argument of an option.
    fileprivate init(_ text: SystemString?, of option: String, form: String) throws(UsageError) {
        let text = text?.bytes ?? []
        guard let equals = text.firstIndex(of: UInt8(ascii: "=")) else {
            throw UsageError(option, "'\(String(lossless: text))' has no '='", hint: "write \(form)")
        }
        name = String(lossless: text[..<equals])
        value = String(lossless: text[(equals + 1)...])
    }
}

/// What --bless does with expected lines that differ.
enum BlessMode: String, CaseIterable {
    case write, check
}

/// The seed of --shuffle, and whether it was given.
struct ShuffleSeed {
    let seed: UInt32
    let isChosen: Bool
}

/// When to use colors.
enum ColorChoice: String, CaseIterable {
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
