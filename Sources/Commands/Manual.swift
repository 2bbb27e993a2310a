import Script
import Wire

/// The texts made from the command table: `help`, and the command section of muxsh(5).
package struct Manual {
    private let table: CommandTable

    package init(_ table: CommandTable) {
        self.table = table
    }

    /// What `help` says: a line for each command.
    var overview: String {
        let width = table.descriptions.map(\.name.count).max() ?? 0
        let commands = table.descriptions.map { command in
            "  " + command.name + String(repeating: " ", count: width - command.name.count + 2) + command.summary
        }
        return
            (["Lines to and from a session:"] + Self.arrowLines.map { "  " + $0 } + ["", "Commands:"] + commands
            + ["", "Topics: \(Self.topics.map(\.name).joined(separator: ", "))"]
            + ["'help COMMAND' and 'help TOPIC' tell more; muxsh(5) tells all."]).joined(separator: "\n")
    }

    /// What `help COMMAND` says, or nil when there is none of that name.
    package func help(for name: String) -> String? {
        guard let command = table[name] else { return nil }
        var lines = command.usages.map { "  " + $0 }
        let width = command.options.map(\.usage.count).max() ?? 0
        if !command.options.isEmpty { lines.append("") }
        for option in command.options {
            lines.append(
                "  " + option.usage + String(repeating: " ", count: width - option.usage.count + 2) + option.summary)
        }
        lines += [""] + Self.wrapped(capitalized(command.summary) + ". " + command.text)
        lines += ["", "Examples:"]
        lines += command.examples.flatMap {
            $0.split(separator: "\n", omittingEmptySubsequences: false).map { "  " + $0 }
        }
        return lines.joined(separator: "\n")
    }

    /// What `help arrows` says.
    static let arrows = """
        Lines to and from a session; T is a name, a list (a,b) or a glob (replica*, *):
        \(arrowLines.map { "  " + $0 }.joined(separator: "\n"))

        The text begins after one blank and runs to the end of the line. \\n \\r \\t \\0 \\e \\\\ \\xHH \\u{HHHH}
        and ${name} are read in it; '\\${' is '${'. A single '\\' at the end means: no line ending here.
        """

    /// What `help` knows besides commands.
    package static let topics: [(name: String, summary: String, text: String)] = [
        ("arrows", "lines to and from a session", arrows),
        ("sessions", "names, lists, globs and addresses", sessions),
        ("patterns", "texts and regexes to search for", patterns),
        ("variables", "let, ${name}, captures and the built-in names", variables),
        ("frames", "what a line is, and what ends it", frames),
        ("tls", "certificates, starttls, and being the server", tls),
        ("programs", "programs as sessions, and their terminals", programs),
        ("tests", "test, retry, try, reports", tests),
        ("keys", "what the keys of the prompt do", keys),
        ("talk", "sending every line you type", talk),
    ]

    private static let sessions = """
        A session is a named conversation: 'open a localhost:8080' gives it the name a.
        Where T stands you can write a name, a list (a,b) or a glob (replica*, *).

        Addresses:
          host:port  :port  [::1]:port    TCP; :port is on this machine
          tls://host:port                 TLS, with a verified certificate
          udp://host:port                 a datagram is a line
          unix:/path  unix:@name          Unix sockets; @ is the abstract name space

        'listen' and 'serve' are the other side; 'spawn' makes a program a session.
        """

    private static let patterns = """
        Where PATTERN stands: "text" is searched as it is, /regex/ is PCRE2, with the flags i, m, s.
        ^ and $ mean line starts and ends. A match is in ${0}, its groups in ${1}, ${2} …; (?<name>…) sets
        ${name}. 'expect' skips ahead to a match and consumes through it; 'T< text' and 'T<~ regex' look at
        the next line only.
        """

    private static let variables = """
        'let name value' sets one, 'let n ${n} + 1' counts, ${name} stands for the value, also in arrow lines.
        In 'single quotes' nothing is special; \\${ is '${'.

          ${0} ${1} …              the last match and its groups
          ${status}                how the program ended that 'wait' has waited for
          ${NAME.port}             the port of a listener or a session's peer; also .address and .pid
          ${session} ${error}      in 'on' and 'select', and in the 'else' of 'try'
          ${env.HOME} ${tmp}       the environment, and a private directory
          ${file} ${dir} ${line}   where the script is

        'let --secret name value' is shown nowhere.
        """

    private static let frames = """
        A line ends at a line feed; a CR before it is dropped. What ends a line that is sent: --eol lf, crlf, cr, nul
        or none, at 'open', 'listen' and 'spawn', or 'set a eol crlf'.

          --frame raw           whatever one read returns is a line
          --frame u8 … u32le    the line's length stands before it, in so many bits; le: the low byte first

        Over UDP a datagram is a line. 'expect a bytes N' does not care for lines.
        """

    private static let tls = """
        'open web tls://localhost:8443' verifies the certificate's chain and host name, by the system's
        authorities or those of --ca FILE.

          --servername NAME         the name to ask for and to verify
          --cert FILE --key FILE    our own certificate, for a server that wants one
          --alpn h2,http/1.1        the protocols to choose from
          --insecure                goes on whatever is wrong, and says so

        'starttls a' begins TLS on an open session; 'listen s :0 --tls --cert FILE --key FILE' is a server;
        'show a' tells version, cipher and certificate.
        """

    private static let programs = """
        'spawn calc bc' makes a program a session; there is no shell in between: spawn x sh -c "ls | wc".

          calc> 1+1             to its standard input; calc>| ends that
          calc< 2               what it writes, to standard output and standard error
          spawn sh --pty sh     with a terminal of its own; --no-echo, so that it does not send back what is typed
          signal calc TERM      --group for all that it has started
          wait calc status 0    its end; ${status} is how

        No program outlives muxsh. A program may hold its output back when it has no terminal: --pty.
        """

    private static let tests = """
        test "a name" {            counted; what it opens is closed, and the script goes on when it fails
        retry 5s every 100ms {     again until it passes
        try {   } else {           a failure inside is no failure; ${error} says what it was
        compare a,b lines 2        the same answers from several
        skip "why"   fail "why"

        'muxsh --report tap FILE …' tells the results, 'prove --ext mux --exec "muxsh -q --report tap"' runs many.
        """

    private static let keys = """
          Tab            complete; a second Tab lists the choices
          ^C             drop the line, or stop the running command
          ^D             leave; in 'talk' go back to commands
          ^R  Up  Down   search the history, go through it
          ^A ^E ^W ^U ^K to the start and end; erase a word, the line, to its end
          ^L             clear the screen
          ^Z             stop muxsh; 'fg' brings it back

        ~/.editrc changes them ('bind -v' for vi keys), see editrc(5).
        """

    private static let talk = """
        'talk a' sends every line you type to session a, as it is; the prompt is 'a> ' then. 'talk a,b' and
        'talk *' send to several; 'a,b 1/2> ' says that one of two has answered.

          :list     a line that begins with ':' is a command
          ::x       sends ':x'
          :  or ^D  back to commands
        """

    private static let arrowLines = [
        "T> text       send text and a line ending",
        "T< text       the next line from T is exactly text",
        "T<~ regex     the next line from T matches regex",
        "T>|           end our side (half-close)",
        "T<|           T ends its side now; 'T<| reset' for a reset",
    ]

    /// The command section of muxsh(5) in mdoc(7): a subsection for each command.
    package var commandSection: String {
        table.descriptions.map { section(for: $0) }.joined()
    }

    private func section(for command: CommandDescription) -> String {
        var lines = [".Ss \(command.name)", ".Bd -literal -compact"]
        lines += command.usages.map(escape)
        lines += [".Ed", ".Pp", escape(capitalized(command.summary)) + "."]
        lines += Self.sentences(of: command.text).flatMap { Self.wrapped($0) }.map(escape)
        if !command.options.isEmpty {
            lines.append(".Bl -tag -width Ds")
            for option in command.options {
                lines.append(
                    ".It Fl Fl \(option.name.dropFirst(2))" + (option.parameter.map { " Ar \($0.name)" } ?? ""))
                lines.append(escape(capitalized(option.summary)) + ".")
            }
            lines.append(".El")
        }
        lines += [".Pp", command.examples.count > 1 ? "Examples:" : "Example:", ".Bd -literal -offset indent -compact"]
        lines += command.examples.flatMap {
            $0.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        }.map(escape)
        lines.append(".Ed")
        return lines.joined(separator: "\n") + "\n"
    }

    /// Text that roff shows as it stands: backslashes and a leading dot or quote are not for roff to read.
    private func escape(_ line: String) -> String {
        let text = line.split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\e")
        return text.hasPrefix(".") || text.hasPrefix("'") ? "\\&" + text : text
    }

    private func capitalized(_ text: String) -> String {
        text.prefix(1).uppercased() + text.dropFirst()
    }

    /// `text` cut behind each full stop: mdoc wants a sentence a line.
    private static func sentences(of text: String) -> [String] {
        var sentences: [String] = []
        var current = ""
        let words = text.split(separator: " ", omittingEmptySubsequences: true)
        for word in words {
            current += (current.isEmpty ? "" : " ") + word
            if word.hasSuffix(".") {
                sentences.append(current)
                current = ""
            }
        }
        if !current.isEmpty { sentences.append(current) }
        return sentences
    }

    private static func wrapped(_ text: String, width: Int = 76) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if line.count + word.count + 1 > width {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + (line.isEmpty ? [] : [line])
    }
}
