import Results
import Script
import VM

/// `check`: fails unless a condition holds.
struct CheckCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "check", summary: "fail unless a condition holds",
            forms: [Form(.condition, .optional([.parameter(Parameter("WHY", .text))]))],
            text: """
                COND is as for 'if'. The failure shows WHY and both values, with a caret under the first difference. It \
                fails the test, or the script with status 4.
                """,
            examples: [
                "check ${version} >= 7 \"the server is too old\"",
                "check ${0:length} == 4 and ${0:from-u32} < 1000", "check not open a",
            ],
            caveats: [
                "For an answer that may come later, use expect, or put the check into retry."
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        guard let condition = call.condition else { throw ScriptError(call.range, "missing condition") }
        compiler.emit(
            CheckInstruction(question: Question(condition), why: call.argument("WHY"), range: call.range))
    }
}

private struct CheckInstruction: Instruction {
    let question: Question
    let why: Argument?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let report = Question.Report()
        if try question.holds(in: strand, range, report) { return .next }
        let reason = try why.map { argument throws(Failure) in try strand.text(argument.template) } ?? ""
        var failure = Failure(.expectation, reason.isEmpty ? "check failed" : "check failed: \(reason)")
        failure.details = report.details
        throw failure
    }
}
