import Results
import Script
import VM

/// `fail`: fails with a reason.
struct FailCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "fail", summary: "fail with a reason",
            forms: [Form(.optional([.parameter(Parameter("WHY", .text))]))],
            text: "Like an unmet expectation it fails the test, or the script with status 4.",
            examples: ["fail \"the replica lags ${lag} s\""])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(FailInstruction(status: .expectation, why: call.argument("WHY"), range: call.range))
    }
}

/// `skip`: ends a test, or the script, without a failure.
struct SkipCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "skip", summary: "skip the test, or the rest of the script",
            forms: [Form(.optional([.parameter(Parameter("WHY", .text))]))],
            text: "Outside a test the rest of the script is skipped, and the exit status is 77.",
            examples: ["if not defined env.REDIS {\n    skip \"no server to test\"\n}"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(FailInstruction(status: .skipped, why: call.argument("WHY"), range: call.range))
    }
}

private struct FailInstruction: Instruction {
    let status: Failure.Status
    let why: Argument?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let given = try why.map { argument throws(Failure) in try strand.text(argument.template) } ?? ""
        throw Failure(status, given.isEmpty && status != .skipped ? "failed" : given)
    }
}
