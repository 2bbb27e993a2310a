import Reactor

/// The options of a program, and what it is for.
package struct OptionTable<Settings> {
    package let program: String
    /// What the program is for: one sentence, with its full stop.
    let purpose: String
    /// Further text of `--help`; empty for none.
    let text: String
    /// The name and purpose of the arguments that are not options; nil if there must be none.
    let operand: (name: String, summary: String)?
    /// The options, followed by those that every program has.
    let all: [ProgramOption<Settings>]
    /// Returns the candidate that an unknown name may have meant.
    private let nearest: (_ name: String, _ candidates: [String]) -> String?

    package init(
        program: String, purpose: String, text: String = "", operand: (name: String, summary: String)? = nil,
        options: [ProgramOption<Settings>],
        nearest: @escaping (_ name: String, _ candidates: [String]) -> String? = { _, _ in nil }
    ) {
        self.program = program
        self.purpose = purpose
        self.text = text
        self.operand = operand
        all = options + Self.common
        self.nearest = nearest
    }

    /// What a command line asks for.
    package enum Request: Equatable {
        /// A run with these arguments that are not options.
        case run([SystemString])
        /// A text about the program: `--help`, `--version` or `--completions`.
        case text(String)
    }

    /// Notes the options of a command line in `settings`, and returns what it asks for.
    ///
    /// The rules are those of getopt_long(3): options and other arguments may be mixed, `--` ends the options, short
    /// ones may share a `-`, long ones may be shortened while they stay unambiguous, and `--name=value` is one
    /// argument.
    package func parse(
        _ arguments: [SystemString], into settings: inout Settings
    ) throws(UsageError) -> Request {
        let scan = OptionScan(program, arguments)
        for (index, option) in all.enumerated() {
            scan.add(option.short, option.long, option.argument.kind, code: Self.firstCode + Int32(index))
        }
        while let found = scan.next() {
            switch found {
            case .option(let code, let argument):
                guard let option = self[code] else { continue }
                if let text = try text(of: option, argument) { return .text(text) }
                try option.take(&settings, argument)
            case .missingArgument(let code):
                let option = self[code]
                throw UsageError(nil, "\(option?.name ?? "") needs \(option?.parameter?.name ?? "an argument")")
            case .unwantedArgument(let code): throw UsageError(nil, "\(self[code]?.name ?? "") takes no argument")
            case .unknown(let text): throw unknown(text)
            }
        }
        guard operand != nil || scan.rest.isEmpty else {
            throw UsageError(nil, "unexpected argument '\(scan.rest[0].description)'")
        }
        return .run(scan.rest)
    }

    /// Options whose answer is a text about the program.
    private static var common: [ProgramOption<Settings>] {
        [
            .init(
                nil, "completions", .required("SHELL", .values(CompletionShell.allCases.map(\.rawValue))),
                "Print the completion script of bash, zsh or fish."
            ) { _, _ in },
            .init(nil, "version", .none, "Show the version.") { _, _ in },
            .init("h", "help", .none, "Show this summary of the options.") { _, _ in },
            // For scripts/manual.
            .init(nil, "manual-options", .none, "", isHidden: true) { _, _ in },
            .init(nil, "manual-synopsis", .none, "", isHidden: true) { _, _ in },
        ]
    }

    /// Returns the text that an option of every program asks for; nil for other options.
    private func text(of option: ProgramOption<Settings>, _ argument: SystemString?) throws(UsageError) -> String? {
        switch option.long {
        case "completions": completions(for: try chosen(argument, for: "--completions"))
        case "version": "\(program) \(version)\n"
        case "help": help
        case "manual-options": manual
        case "manual-synopsis": synopsis
        default: nil
        }
    }

    /// The message for an error, with a hint.
    package func message(for error: UsageError) -> String {
        "\(program): \(error.problem)\n  help: \(error.hint ?? "'\(program) --help' lists the options")"
    }

    /// Codes of options do not overlap with characters.
    private static var firstCode: Int32 { 256 }

    private subscript(code: Int32) -> ProgramOption<Settings>? {
        let index = Int(code - Self.firstCode)
        return all.indices.contains(index) ? all[index] : nil
    }

    /// The error for an option that is none, or the beginning of several.
    private func unknown(_ text: String) -> UsageError {
        let name = String(text.prefix { $0 != "=" })
        let longs = all.filter { !$0.isHidden }.compactMap(\.long).map { "--" + $0 }
        let begun = longs.filter { $0.hasPrefix(name) }
        if begun.count > 1 {
            return UsageError(nil, "'\(name)' can be \(begun.joined(separator: " or "))", hint: "write more of it")
        }
        return UsageError(nil, "unknown option '\(name)'", hint: nearest(name, longs).map { "did you mean '\($0)'?" })
    }
}
