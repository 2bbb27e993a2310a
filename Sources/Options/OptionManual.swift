extension OptionTable {
    /// The options in mdoc(7): the lines of the synopsis.
    package var synopsis: String {
        let visible = all.filter { !$0.isHidden }
        let flags = visible.filter { $0.parameter == nil }.compactMap(\.short).map(String.init).joined()
        var lines = flags.isEmpty ? [] : [".Op Fl \(flags)"]
        lines += visible.filter { $0.parameter != nil || $0.short == nil }.map { ".Op " + $0.macros }
        return (lines + (operand == nil ? [] : [".Op Ar"])).joined(separator: "\n") + "\n"
    }

    /// The options in mdoc(7): a list with what each of them does.
    package var manual: String {
        var lines = [".Bl -tag -width Ds"]
        for option in all where !option.isHidden {
            lines.append(".It " + option.tag)
            let paragraphs = [option.summary] + (option.details.isEmpty ? [] : [option.details])
            lines += paragraphs.flatMap(sentences).flatMap { wrapped($0, width: 78) }.map(escapedForManual)
        }
        return (lines + [".El"]).joined(separator: "\n") + "\n"
    }
}

extension ProgramOption {
    /// The first way to write it, with its argument, as macros: `Fl c Ar LINE`.
    fileprivate var macros: String {
        let name = short.map(String.init) ?? long.map { "-" + $0 } ?? ""
        return "Fl " + name + argumentMacros
    }

    /// All ways to write it: `Fl q , Fl -quiet`.
    fileprivate var tag: String {
        let names = [short.map(String.init), long.map { "-" + $0 }].compactMap { $0.map { "Fl " + $0 } }
        return names.joined(separator: " , ") + argumentMacros
    }

    private var argumentMacros: String {
        switch argument {
        case .none: ""
        case .required(let name, _): " Ar " + name
        case .optional(let name, _): " Ns Op = Ns Ar " + name
        }
    }
}
