import Engine
import Results
import Script
import VM
import Wire

/// `for`: runs a block for each of several values.
struct ForCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "for", summary: "run a block for each of several values",
            forms: [
                Form(
                    .repeating(Parameter("X", .localVariable)), .keyword("in"),
                    .optional([.repeating(Parameter("VALUE", .text))]), content: .statements)
            ],
            options: [
                CommandOption("--lines", Parameter("TEXT", .text), "one round for each line of TEXT"),
                CommandOption("--file", Parameter("PATH", .path), "one round for each line of a file"),
                CommandOption("--csv", Parameter("PATH", .path), "one round for each row of a CSV file (RFC 4180)"),
            ],
            text: """
                ${X} is each VALUE in turn; with several X, each round takes as many values. An unquoted FIRST..LAST \
                stands for the whole numbers from FIRST to LAST inclusive. 'break' leaves the loop, 'continue' starts \
                the next round.

                With --csv the first row of the file names the columns: ${X.city} is the field of the column city, and \
                ${X.1} the first field. A byte that a name cannot have is replaced by '_'.
                """,
            examples: [
                "for host in alpha beta {\n    open ${host} ${host}:6379\n}", "for i in 1..10 {\n    a> ping ${i}\n}",
                "for name port in web 80 mail 25 {\n    open ${name} :${port}\n}",
                "for user in --csv users.csv {\n    a> LOGIN ${user.name} ${user.password}\n}",
            ],
            caveats: [
                "If LAST is smaller than FIRST the block does not run.",
                "Only regular files can be read; --file reads them line by line.",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let names = call.arguments("X").compactMap(\.template.literalText)
        guard !names.isEmpty else { throw ScriptError(call.range, "'in' cannot name a loop variable") }
        if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
            throw ScriptError(call.range, "duplicate loop variable '\(twice)'")
        }
        let options = ["--lines", "--file", "--csv"].filter { call.has(option: $0) }
        let values = call.arguments("VALUE")
        guard options.count + (values.isEmpty ? 0 : 1) == 1 else {
            throw ScriptError(
                call.range, options.isEmpty ? "for needs VALUE here" : "for takes either values or one of its options",
                hint: "write for X in VALUE… { or for X in --lines TEXT {")
        }
        if let option = options.first, let argument = call.value(ofOption: option) {
            guard names.count == 1 else {
                throw ScriptError(call.arguments("X")[1].range, "\(option) takes one loop variable")
            }
            return compileRows(call, option, argument, names[0], &compiler)
        }
        for value in values {
            guard let text = value.bareLiteral, text != "..", text.hasPrefix("..") || text.hasSuffix(".."),
                Literals.integer(Array(text.replacing("..", by: "").utf8)) != nil
            else { continue }
            throw ScriptError(
                value.range, "'\(text)' is half a range", hint: "write FIRST..LAST, or quote the text: \"\(text)\"")
        }
        let arguments = values.map { ($0, NumberRange($0)) }
        if names.count > 1, arguments.allSatisfy({ $0.1 == nil }), values.count % names.count != 0 {
            throw ScriptError(call.range, TupleRows.unfilled(names.count))
        }
        compiler.compileRounds(call) { strand throws(Failure) in
            var items: [Rounds.Item] = []
            for (argument, range) in arguments {
                if let range {
                    if let numbers = try range.evaluate(in: strand) { items.append(.numbers(numbers)) }
                } else {
                    items.append(.value(try strand.expand(argument.template)))
                }
            }
            return names.count == 1
                ? Rounds(name: names[0], items: items) : Rounds(rows: try TupleRows(names, items, call.range))
        }
    }

    private static func compileRows(
        _ call: CommandCall, _ option: String, _ argument: Argument, _ name: String, _ compiler: inout Compiler
    ) {
        let text = Value(text: argument)
        let path = Value(path: argument)
        compiler.compileRounds(call) { strand throws(Failure) in
            switch option {
            case "--lines": Rounds(rows: LineRows(name, text: try text.evaluate(in: strand)))
            case "--file": Rounds(rows: try LineRows(name, file: try path.evaluate(in: strand)))
            default: Rounds(rows: try CSVRows(name, file: try path.evaluate(in: strand)))
            }
        }
    }
}

/// The rounds of a loop with several variables: as many values in each.
private final class TupleRows: RowSource {
    private let names: [String]
    private let items: [Rounds.Item]
    private var item = 0
    /// The next number of the current range, or nil.
    private var number: Int?

    init(_ names: [String], _ items: [Rounds.Item], _ range: SourceRange) throws(Failure) {
        self.names = names
        self.items = items
        var count = 0
        for item in items {
            guard case .numbers(let numbers) = item else {
                count += 1
                continue
            }
            count = (count + numbers.upperBound % names.count - numbers.lowerBound % names.count + 1) % names.count
        }
        guard count % names.count == 0 else {
            throw Failure(.expectation, Self.unfilled(names.count), range: range)
        }
    }

    /// The message for values that do not fill all rounds of `count`.
    static func unfilled(_ count: Int) -> String {
        "the values do not fill the last round: each takes \(counted(count, "value"))"
    }

    func next() -> [(name: String, value: [UInt8])]? {
        guard item < items.count else { return nil }
        return names.map { ($0, value()) }
    }

    private func value() -> [UInt8] {
        guard item < items.count else { return [] }
        switch items[item] {
        case .value(let value):
            item += 1
            return value
        case .numbers(let range):
            let current = number ?? range.lowerBound
            number = current < range.upperBound ? current + 1 : nil
            if number == nil { item += 1 }
            return Array(String(current).utf8)
        }
    }
}

/// `FIRST..LAST`, each a whole number or a variable.
private struct NumberRange {
    private let first: Template
    private let last: Template
    private let range: SourceRange

    /// Returns nil if the argument is a text.
    init?(_ argument: Argument) {
        guard case .bare = argument.style else { return nil }
        guard let (first, last) = argument.template.divided(at: ".."), Self.isNumber(first), Self.isNumber(last) else {
            return nil
        }
        self.first = first
        self.last = last
        range = argument.range
    }

    /// Returns the numbers, or nil if there are none.
    func evaluate(in strand: Strand) throws(Failure) -> ClosedRange<Int>? {
        let (low, high) = (try number(first, strand), try number(last, strand))
        return low <= high ? low...high : nil
    }

    private func number(_ template: Template, _ strand: Strand) throws(Failure) -> Int {
        let bytes = try strand.expand(template)
        guard let number = Literals.integer(bytes) else {
            throw Failure(.expectation, Literals.integerProblem(bytes), range: range)
        }
        return number
    }

    /// Whether a template is a whole number or one variable.
    private static func isNumber(_ template: Template) -> Bool {
        if let literal = template.literal { return Literals.integer(literal) != nil }
        return template.segments.count == 1
    }
}
