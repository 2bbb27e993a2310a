extension OptionTable {
    /// The text of `--help`, at most 80 columns wide, with a newline at its end.
    package var help: String {
        let visible = all.filter { !$0.isHidden }
        let width = min(26, (visible.map(\.usage.count).max() ?? 0) + 2)
        var lines = wrapped(purpose, width: 80)
        if !text.isEmpty { lines += [""] + wrapped(text, width: 80) }
        lines += ["", "usage: \(program) [OPTION...]" + (operand.map { " [\($0.name)...]" } ?? "")]
        if let operand { lines += [""] + row(operand.name, operand.summary, width: width) }
        lines += ["", "Options:"] + visible.flatMap { row($0.usage, $0.summary, width: width) }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Returns the rows of an option: how it is written, and on its right what it does.
    private func row(_ usage: String, _ summary: String, width: Int) -> [String] {
        let indent = String(repeating: " ", count: width + 2)
        let rows = wrapped(summary, width: 80 - indent.count)
        let start = "  " + usage + String(repeating: " ", count: max(0, width - usage.count))
        guard usage.count + 2 <= width else { return [start] + rows.map { indent + $0 } }
        return rows.enumerated().map { ($0 == 0 ? start : indent) + $1 }
    }
}

extension ProgramOption {
    /// The option in `--help`: `-c LINE`, `-q, --quiet`, `--bless[=MODE]`.
    var usage: String {
        let names = names.joined(separator: ", ")
        return switch argument {
        case .none: names
        case .required(let name, _): names + " " + name
        case .optional(let name, _): names + "[=\(name)]"
        }
    }
}
