import Options
import Script
import Sockets
import Wire

/// The texts generated from the command table: `help`, and the command section of muxsh(5).
package struct Manual {
    private let table: CommandTable

    package init(_ table: CommandTable) {
        self.table = table
    }

    /// The text of `help`: the first steps, then one line for each command, in groups.
    ///
    /// - Parameter own: the names of the commands that the user has defined.
    func overview(own: [String] = []) -> String {
        let steps = [
            ("open a localhost:6379", "connect, as session a"), ("talk a", "send each line you type; ':' returns"),
            ("a> PING", "send one line"), ("list", "see what is open"), ("quit", "leave, as ^D does"),
        ]
        let width = table.descriptions.map(\.name.count).max() ?? 0
        var lines = ["First steps:"] + Self.columns(steps, width: 21)
        lines += ["", "Lines to and from a session:"] + Self.arrowLines.map { "  " + $0 }
        for (title, names) in CommandRegistry.groups {
            lines += ["", title + ":"]
            lines += Self.columns(names.compactMap { table[$0] }.map { ($0.name, $0.summary) }, width: width)
        }
        if !own.isEmpty { lines += ["", "Your commands: " + own.sorted().joined(separator: ", ")] }
        lines += ["", "Topics: " + Self.topics.map(\.name).joined(separator: ", ")]
        lines += ["See 'help COMMAND', 'help TOPIC' and muxsh(5)."]
        return lines.joined(separator: "\n")
    }

    /// Returns rows with a name, padded to a width, and its explanation.
    private static func columns(_ rows: [(String, String)], width: Int) -> [String] {
        rows.map { name, text in "  " + name + String(repeating: " ", count: width - name.count + 2) + text }
    }

    /// Returns the text of `help COMMAND`, or nil for an unknown name.
    ///
    /// - Parameter screen: the width of the screen in columns; text is not wrapped a second time on a narrow one.
    package func help(for name: String, screen: Int? = nil) -> String? {
        guard let command = table[name] else { return nil }
        let room = min(76, max(20, (screen ?? 80) - 2))
        var lines = paragraphs(of: command).flatMap { wrapped($0, width: room) + [""] }
        lines += command.synopses.map { "  " + $0 }
        let width = command.options.map(\.usage.count).max() ?? 0
        if !command.options.isEmpty { lines += ["", "Options:"] }
        for option in command.options {
            lines.append(
                "  " + option.usage + String(repeating: " ", count: width - option.usage.count + 2) + option.summary)
        }
        lines += ["", heading("Example", command.examples)]
        lines += command.examples.flatMap {
            $0.split(separator: "\n", omittingEmptySubsequences: false).map { "  " + $0 }
        }
        if !command.caveats.isEmpty { lines += ["", heading("Caveat", command.caveats)] }
        for caveat in command.caveats {
            let rows = wrapped(caveat, width: room - 2)
            lines += rows.enumerated().map { ($0 == 0 ? "- " : "  ") + $1 }
        }
        return lines.joined(separator: "\n")
    }

    /// The text of `help arrows`.
    static let arrows = """
        Lines to and from a session; T is a name, a list (a,b) or a glob (replica*, *):
        \(arrowLines.map { "  " + $0 }.joined(separator: "\n"))

        The text starts after one space and runs to the end of the line. ${name} and the escapes \\n \\r \\t \\0 \\e
        \\\\ \\xHH \\u{HHHH} are expanded; write '\\${' for a literal '${'. A single '\\' at the end means: no line ending.
        """

    /// The topics of `help` other than commands. The texts are made on demand: no script pays for them at its start.
    package static let topics: [(name: String, summary: String, text: @Sendable () -> String)] = [
        ("arrows", "lines to and from a session", { arrows }),
        ("sessions", "names, lists, globs and addresses", { sessions }),
        ("patterns", "texts and regexes to search for", { patterns }),
        ("variables", "let, ${name}, captures and built-in names", { variables }),
        ("functions", "functions on values, such as ${name:upper}", { FunctionManual.topic }),
        ("frames", "lines, line endings and length prefixes", { frames }),
        ("tls", "certificates, starttls, acting as a server", { tls }),
        ("programs", "programs as sessions, pseudo-terminals", { programs }),
        ("tests", "test, retry, try, reports", { tests }),
        ("keys", "keys at the prompt", { keys }),
        ("talk", "sending every typed line", { talk }),
    ]

    private static let sessions = """
        A session is a named connection: 'open a localhost:8080' opens session a.
        A target T is a name, a list (a,b) or a glob (replica*, *).

        Addresses:
          host:port  :port  [::1]:port    TCP; :port is on this machine
          tls://host:port                 TLS, the certificate is verified
          udp://host:port                 UDP, one line per datagram
          ws://host:port/path  wss://…    WebSocket: a message is a line
          telnet://host:port              telnet: its options are answered
          serial:/dev/ttyUSB0             a serial line
          unix:/path  unix:@name          Unix sockets; @ is the abstract namespace

        'listen' and 'serve' accept connections; 'spawn' makes a program a session.
        """

    private static let patterns = """
        A PATTERN is "text", searched literally, or a /regex/ (PCRE2) with the flags i, m, s. Regexes are case-sensitive
        unless the flag is i. ^ and $ match at line starts and line ends. The match is in ${0}, its groups in ${1},
        ${2} …; (?<name>…) sets ${name}. 'expect' skips to a match and consumes everything up to its end; 'T< text' and
        'T<~ regex' look at the next line only.

        A greedy end such as .* waits for the time limit: write .*? followed by the text that comes next.
        """

    private static let variables = """
        'let name value' sets a variable, 'let n ${n} + 1' calculates, ${name} is the value, also in arrow lines.
        Nothing is expanded in 'single quotes'; write \\${ for a literal '${'.

          ${0} ${1} …              the last match and its groups
          ${status}                exit status of the program that 'wait' waited for
          ${NAME.port}             port of a listener or of a session's peer; also .address and .pid
          ${session} ${error}      in 'on' and 'select'; in the 'else' of 'try'
          ${env.HOME} ${tmp}       environment variable; private directory
          ${file} ${dir} ${line}   position in the script

        'let --secret name value' never shows the value.
        """

    private static let frames = """
        A line ends with LF; a CR before the LF is part of the line ending. The line ending to send is set by --eol lf,
        crlf, cr, nul or none of 'open', 'listen' and 'spawn', or by 'set a eol crlf'. Frames replace lines, with --frame or 'set a frame':

          raw                     one line is what one read returns
          u8 u16 u24 u32 u64      each line is preceded by its length as an integer, big-endian;
          u16le … u64le  varint   little-endian; in LEB128
          KIND@P  KIND@P+A        the length is at byte P of the line, which includes it: u32@0, varint@1; with +A the
                                  line is A + length bytes long: u24@0+9
          cr  nul  until:TEXT     each line ends with that

        Over UDP one line is one datagram. 'expect a bytes N' ignores line and frame boundaries.
        """

    private static let tls = """
        'open web tls://localhost:8443' verifies the certificate chain and the host name against the system's
        authorities or those of --ca FILE.

          --servername NAME         name to request (SNI) and to verify
          --cert FILE --key FILE    our own certificate, if the server requires one
          --alpn h2,http/1.1        protocols to offer
          --insecure                accept any certificate, with a note

        'starttls a' starts TLS on an open session; 'listen s :0 --tls --cert FILE --key FILE' is a server;
        'show a' shows version, cipher and certificate.
        """

    private static let programs = """
        'spawn calc bc' makes a program a session. There is no shell; to use one: spawn x sh -c "ls | wc".

          calc> 1+1             send to its standard input; calc>| closes it
          calc< 2               expect from its standard output and standard error
          spawn sh --pty sh     run it on a pseudo-terminal; --no-echo turns off the echo
          signal calc TERM      send a signal; --group: to its process group
          wait calc status 0    wait for its end and check ${status}
          expect sh screen "x"  wait until its screen shows x (--pty); send sh --key Up presses a key

        No program outlives muxsh. Programs often buffer their output unless they run on a terminal: use --pty.
        """

    private static let tests = """
        test "a name" {            counted; its sessions are closed, and the script continues after a failure
        retry 5s every 100ms {     repeat until it passes
        try {   } else {           continue after a failure; ${error} is its message
        compare a,b lines 2        check that sessions give the same answer
        skip "why"   fail "why"

        'muxsh --report tap FILE …' reports the results, 'prove --ext mux --exec "muxsh -q --report tap"' runs many.
        """

    private static let keys = """
          Tab            complete, or list the choices; Tab and Shift-Tab go through them
          ^C             discard the line, or stop the running command
          ^D             quit; in 'talk' return to commands
          ^R             search the history for words in any sequence; ^G gives the line back
          Up  Down       go through the rows of a block, or the history
          Esc p  Esc n   go through the entries that begin with what is typed
          Alt-Enter      begin another row, also where Enter would run the entry
          ^A ^E ^W ^U ^K go to the start or end; erase a word, the line, to the end
          ^_             undo
          ^X ^E          edit the line or block in $EDITOR
          ^L             clear the screen
          →  Alt-→       take the grey suggestion, or a word of it
          Alt-1 … Alt-9  talk to the first … ninth session; Alt-← Alt-→ to its neighbors
          ^Z             suspend muxsh; 'fg' resumes it

        Key bindings are read from ~/.editrc ('bind -v' for vi keys), see editrc(5).
        """

    private static let talk = """
        'talk a' sends every typed line to session a unchanged; the prompt is then 'a> '. 'talk a,b' and 'talk *' send
        to several sessions; 'a,b 1/2> ' means that one of two has answered.

          :list     a line that begins with ':' is a command
          ::x       sends ':x'
          :  or ^D  return to commands
        """

    private static let arrowLines = [
        "T> text       send text and a line ending",
        "T< text       expect the next line from T to be exactly text",
        "T<~ regex     expect the next line from T to match regex",
        "T>|           end our side of the stream (half-close)",
        "T<|           expect T to end its side now; 'T<| reset': to reset; 'T<| 1000': with a code",
    ]

    /// The generated sections of muxsh(5) in mdoc(7): a subsection for each command, and the functions.
    package var commandSection: String {
        table.descriptions.map { section(for: $0) }.joined() + FunctionManual.section
    }

    private func section(for command: CommandDescription) -> String {
        var lines = [".Ss \(command.name)"]
        for (index, paragraph) in paragraphs(of: command).enumerated() {
            if index > 0 { lines.append(".Pp") }
            lines += sentences(of: paragraph).flatMap { wrapped($0, width: 76) }.map(escapedForManual)
        }
        lines += [".Pp", ".Bd -literal -offset indent -compact"]
        lines += command.synopses.map { escapedForManual($0) } + [".Ed"]
        if !command.options.isEmpty {
            lines += [".Pp", "Options:", ".Bl -tag -width Ds -offset indent -compact"]
            for option in command.options {
                lines.append(
                    ".It Fl Fl \(option.name.dropFirst(2))" + (option.parameter.map { " Ar \($0.name)" } ?? ""))
                lines.append(escapedForManual(capitalized(option.summary)) + ".")
            }
            lines.append(".El")
        }
        lines += [".Pp", heading("Example", command.examples), ".Bd -literal -offset indent -compact"]
        lines += command.examples.flatMap {
            $0.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        }.map(escapedForManual)
        lines.append(".Ed")
        if !command.caveats.isEmpty {
            lines += [".Pp", heading("Caveat", command.caveats), ".Bl -dash -offset indent -compact"]
            for caveat in command.caveats {
                lines += [".It"] + sentences(of: caveat).flatMap { wrapped($0, width: 76) }.map(escapedForManual)
            }
            lines.append(".El")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Returns the description of a command: its summary and text.
    private func paragraphs(of command: CommandDescription) -> [String] {
        let text = command.text.parts(separatedBy: "\n\n").filter { !$0.isEmpty }
        return [capitalized(command.summary) + "." + (text.first.map { " " + $0 } ?? "")] + text.dropFirst()
    }

    private func heading(_ noun: String, _ items: [String]) -> String { noun + (items.count > 1 ? "s:" : ":") }

    private func capitalized(_ text: String) -> String {
        text.prefix(1).uppercased() + text.dropFirst()
    }
}
