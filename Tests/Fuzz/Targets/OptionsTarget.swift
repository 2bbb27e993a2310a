import Options
import Reactor

/// A command line of any bytes is read without a trap: each argument is an option's, or is returned unchanged.
enum OptionsTarget: FuzzTarget {
    private struct Settings {
        var isQuiet = false
        var number: Int?
        var texts: [SystemString] = []
    }

    static func run(_ input: [UInt8]) {
        let table = OptionTable<Settings>(
            program: "fuzz", purpose: "Be tried.", operand: ("FILE", "Anything."),
            options: [
                .flag("q", "quiet", \.isQuiet, "Say nothing."),
                .number("number", -5...5, \.number, "Set a number."),
                .init("t", "text", .required("TEXT"), "Add a text.") { $0.texts += [$1].compactMap(\.self) },
                .init(nil, "texture", .optional("X"), "Add a text.") { $0.texts += [$1].compactMap(\.self) },
            ])
        let arguments = input.split(separator: 0, omittingEmptySubsequences: false).compactMap { SystemString($0) }
        var settings = Settings()
        do {
            guard case .run(let rest) = try table.parse(arguments, into: &settings) else { return }
            require(rest.allSatisfy(arguments.contains), "an argument is invented")
            require(rest.count + settings.texts.count <= arguments.count * 2, "there are too many arguments")
            guard arguments.first?.bytes == Array("--".utf8) else { return }
            require(rest == Array(arguments.dropFirst()), "an argument after -- is not kept")
        } catch {
            require(!table.message(for: error).isEmpty, "an error without words")
        }
    }
}
