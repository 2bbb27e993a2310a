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
                    .parameter(Parameter("X", .localVariable)), .keyword("in"), .repeating(Parameter("VALUE", .text)),
                    content: .statements)
            ],
            text: """
                ${X} is each VALUE in turn. An unquoted FIRST..LAST stands for the whole numbers from FIRST to LAST \
                inclusive. 'break' leaves the loop, 'continue' starts the next round.
                """,
            examples: [
                "for host in alpha beta {\n    open ${host} ${host}:6379\n}", "for i in 1..10 {\n    a> ping ${i}\n}",
            ],
            caveats: [
                "If LAST is smaller than FIRST the block does not run."
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let name = try call.required("X").template.literalText
        let arguments = call.arguments("VALUE").map { ($0, NumberRange($0)) }
        compiler.compileRounds(call) { strand throws(Failure) in
            var items: [Rounds.Item] = []
            for (argument, range) in arguments {
                if let range {
                    if let numbers = try range.evaluate(in: strand) { items.append(.numbers(numbers)) }
                } else {
                    items.append(.value(try strand.expand(argument.template)))
                }
            }
            return Rounds(name: name, items: items)
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
            throw Failure(.expectation, "'\(Escapes.escaped(bytes))' is not a whole number", range: range)
        }
        return number
    }

    /// Whether a template is a whole number or one variable.
    private static func isNumber(_ template: Template) -> Bool {
        if let literal = template.literal { return Literals.integer(literal) != nil }
        return template.segments.count == 1
    }
}
