import Script

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
            + ["", "'help COMMAND' tells more; muxsh(5) tells all."]).joined(separator: "\n")
    }

    /// What `help COMMAND` says, or nil when there is none of that name.
    func help(for name: String) -> String? {
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
