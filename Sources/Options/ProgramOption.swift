import Reactor

/// One option of a program: how it is parsed, and what `--help`, the man page and completion say about it.
package struct ProgramOption<Settings> {
    /// What an option takes.
    package enum Argument {
        case none
        case required(String, Choices = .nothing)
        /// Only after `=`, as in `--bless=check`.
        case optional(String, Choices = .nothing)

        var kind: OptionScan.Kind {
            switch self {
            case .none: .none
            case .required: .required
            case .optional: .optional
            }
        }
    }

    /// What a shell offers for the argument of an option.
    package enum Choices: Equatable, Sendable {
        case nothing, files
        case values([String])
    }

    let short: Character?
    let long: String?
    let argument: Argument
    /// One sentence, with its full stop.
    let summary: String
    /// Further sentences for the man page; empty for none.
    let details: String
    let isHidden: Bool
    /// Whether it may be given several times with different arguments.
    let repeats: Bool
    /// Notes the option and its argument, nil if it has none; throws what is wrong with the argument.
    let take: (inout Settings, SystemString?) throws(UsageError) -> Void

    /// An option of the given names; one of them must be given.
    package init(
        _ short: Character? = nil, _ long: String? = nil, _ argument: Argument, _ summary: String,
        details: String = "", isHidden: Bool = false, repeats: Bool = false,
        take: @escaping (inout Settings, SystemString?) throws(UsageError) -> Void
    ) {
        self.short = short
        self.long = long
        self.argument = argument
        self.summary = summary
        self.details = details
        self.isHidden = isHidden
        self.repeats = repeats
        self.take = take
    }

    /// An option without argument, which sets a property.
    package static func flag(
        _ short: Character? = nil, _ long: String? = nil, _ property: WritableKeyPath<Settings, Bool>,
        _ summary: String, details: String = "", isHidden: Bool = false
    ) -> ProgramOption {
        ProgramOption(short, long, .none, summary, details: details, isHidden: isHidden) { settings, _ in
            settings[keyPath: property] = true
        }
    }

    /// An option whose argument is a number in a range.
    package static func number<Number: FixedWidthInteger>(
        _ long: String, _ range: ClosedRange<Number>, _ property: WritableKeyPath<Settings, Number?>,
        _ summary: String, details: String = ""
    ) -> ProgramOption {
        ProgramOption(nil, long, .required("N"), summary, details: details) { settings, text throws(UsageError) in
            settings[keyPath: property] = try parsedNumber(text, in: range, for: "--" + long)
        }
    }

    /// An option whose argument is one of the values of an enumeration.
    package static func choice<Value: CaseIterable & RawRepresentable<String>>(
        _ long: String, _ name: String, _ property: WritableKeyPath<Settings, Value>,
        _ summary: String, details: String = ""
    ) -> ProgramOption {
        ProgramOption(
            nil, long, .required(name, .values(Value.allCases.map(\.rawValue))), summary, details: details
        ) { settings, text throws(UsageError) in
            settings[keyPath: property] = try chosen(text, for: "--" + long)
        }
    }

    /// The option as it is written: `--quiet` rather than `-q`.
    package var name: String { long.map { "--" + $0 } ?? short.map { "-\($0)" } ?? "" }
    /// The ways to write it, the short one first.
    var names: [String] { [short.map { "-\($0)" }, long.map { "--" + $0 }].compactMap(\.self) }

    /// The name and choices of its argument; nil if it has none.
    var parameter: (name: String, choices: Choices)? {
        switch argument {
        case .none: nil
        case .required(let name, let choices), .optional(let name, let choices): (name, choices)
        }
    }
}

/// Returns the number in a range that an argument contains: digits only.
package func parsedNumber<Number: FixedWidthInteger>(
    _ text: SystemString?, in range: ClosedRange<Number>, for option: String
) throws(UsageError) -> Number {
    let text = text?.description ?? ""
    guard let number = Number(text), range.contains(number), text.first?.isNumber == true else {
        throw UsageError(
            option, "'\(text)' is not a number from \(range.lowerBound) to \(range.upperBound)",
            hint: "write a number without sign and unit")
    }
    return number
}

/// Returns the value of an enumeration that an argument names.
package func chosen<Value: CaseIterable & RawRepresentable<String>>(
    _ text: SystemString?, for option: String
) throws(UsageError) -> Value {
    let text = text?.description ?? ""
    guard let value = Value(rawValue: text) else {
        let values = Value.allCases.map(\.rawValue).joined(separator: ", ")
        throw UsageError(option, "'\(text)' is not one of \(values)")
    }
    return value
}

/// Why a command line is wrong; its words carry any bytes (`String(lossless:)`).
package struct UsageError: Error, Equatable {
    /// `--option: problem`, or the problem.
    package let problem: String
    /// How to write it, in the imperative; nil for the general hint.
    package let hint: String?

    package init(_ option: String? = nil, _ problem: String, hint: String? = nil) {
        self.problem = ((option.map { $0 + ": " } ?? "") + problem).inOneLine
        self.hint = hint
    }
}
