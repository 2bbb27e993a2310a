import Options
import Script

/// The texts made from the table of functions: `help functions`, and the section of muxsh(5).
enum FunctionManual {
    /// The text of `help functions`.
    static let topic: String = {
        let width = ValueFunction.allCases.map(\.usage.count).max() ?? 0
        let groups = ValueFunction.Group.allCases.map { group in
            let rows = entries(of: group).map { entry in
                "  " + entry.usage + String(repeating: " ", count: width - entry.usage.count + 2) + entry.summary
            }
            return ([group.rawValue + ":"] + rows).joined(separator: "\n")
        }
        return introduction + "\n\n" + groups.joined(separator: "\n\n")
    }()

    private static let introduction = """
        ${name:function} applies a function to the value of a variable; ${name:trim:lower} applies two, from left to right.
        Functions work on bytes, wherever ${name} works. An argument is a number, text without spaces and quotes, or
        ${name}.
        """

    /// The functions section of muxsh(5) in mdoc(7).
    static let section: String = {
        var lines = [".Sh FUNCTIONS"]
        for group in ValueFunction.Group.allCases {
            lines += [".Ss \(group.rawValue)", ".Bl -tag -width pbkdf2-sha256 -compact"]
            for entry in entries(of: group) { lines += [".It Cm \(entry.usage)"] + wrapped(entry.sentence, width: 76) }
            lines.append(".El")
        }
        return lines.joined(separator: "\n") + "\n"
    }()

    /// One line for each function; the functions from bytes to numbers share one.
    private static func entries(of group: ValueFunction.Group) -> [(usage: String, summary: String, sentence: String)] {
        var entries: [(usage: String, summary: String, sentence: String)] = []
        for function in ValueFunction.allCases where function.group == group {
            let isInverse = group == .number && function.rawValue.hasPrefix("from-")
            if isInverse && function != .fromU8 { continue }
            let usage = isInverse ? "from-u8 … from-varint" : function.usage
            let summary = function.summary
            entries.append((usage, summary, summary.prefix(1).uppercased() + summary.dropFirst() + "."))
        }
        return entries
    }
}
