import Engine
import Reactor
import Results
import Script

/// --learn: runs scripts several times and rewrites them so that they hold.
extension Shell {
    /// How often a script as it is changed has to pass before it is written.
    private static let proofs = 2

    func learn(_ scripts: [CheckedScript], runs: Int) -> Int32 {
        var status: Int32 = 0
        for script in scripts {
            let own = learn(script, runs: runs)
            if let interruption { return interruption.rawValue }
            status = status == 0 ? own : status
        }
        return status
    }

    private func learn(_ script: CheckedScript, runs: Int) -> Int32 {
        let source = script.source
        let learned = LearnedScript(
            lines: source.lines, statements: script.statements, source: source, names: script.names)
        let all = learned.captures.map(\.name)
        let lines = learned.text(with: Set(all))
        var arrivals: [Int: LineRuns] = [:]
        let began = loop.readClock()
        for number in 1...runs {
            // Dates of the same second would look constant.
            if number == runs, learned.hasDates { waitUntil(began + .milliseconds(1100)) }
            guard let changed = recheck(lines, of: source, variables: all) else {
                return Failure.Status.script.rawValue
            }
            blessing = Blessing(learning: learned.captures)
            let status = runOnce(changed)
            guard status == 0 else {
                say("muxsh: run \(number) of \(source.name) failed, so nothing is changed\n")
                return status
            }
            for arrival in blessing.arrivals(in: changed.source) {
                arrivals[arrival.arrow.range.line, default: LineRuns(arrival.arrow)].add(arrival)
            }
        }
        blessing = Blessing()
        return rewrite(script, learned, arrivals)
    }

    private func rewrite(_ script: CheckedScript, _ learned: LearnedScript, _ arrivals: [Int: LineRuns]) -> Int32 {
        let source = script.source
        let lesson = Lesson(source: source, script: learned, arrivals: arrivals, secrets: secrets)
        for problem in lesson.problems { say("\(problem)\n") }
        guard !lesson.hasChangedOrder else {
            say("muxsh: \(source.name) is left as it is\n")
            return Failure.Status.expectation.rawValue
        }
        guard !lesson.edits.isEmpty else {
            say("muxsh: \(source.name) needs no change\n")
            return lesson.problems.isEmpty ? 0 : Failure.Status.expectation.rawValue
        }
        guard let path = SystemString(source.path), case .success(let now) = files.read(path),
            let file = RewrittenFile(path, now.bytes, lesson.edits)
        else {
            say("muxsh: \(source.name) has changed during the run and is left as it is\n")
            return Failure.Status.expectation.rawValue
        }
        show(file)
        var lines = source.lines
        for edit in lesson.edits { lines[edit.line - 1] = edit.new }
        for _ in 0..<Self.proofs {
            guard let proof = recheck(lines, of: source) else { return Failure.Status.script.rawValue }
            let status = runOnce(proof)
            guard status == 0 else {
                say("muxsh: as changed, \(source.name) does not pass, so it is left as it is\n")
                return status
            }
        }
        guard write(file) else { return Failure.Status.connection.rawValue }
        say("muxsh: \(counted(file.changes.count, "line")) of \(source.name) rewritten; it has passed twice since\n")
        return 0
    }

    private func waitUntil(_ time: Instant) {
        var isOver = loop.readClock() >= time
        let timer = loop.schedule(at: time) { isOver = true }
        while !isOver, interruption == nil { loop.turn() }
        loop.cancel(timer)
    }

    /// Parses and checks a script with changed lines, for one run: its variables belong to that. Errors are shown.
    private func recheck(_ lines: [[UInt8]], of source: SourceText, variables: [String] = []) -> CheckedScript? {
        let copy = SourceText(path: source.path, directory: source.directory, identity: source.identity)
        switch reader.check(lines, copy, variables: variables) {
        case .success(let script): return script
        case .failure(let errors):
            say(errors.rendered)
            return nil
        }
    }
}

extension CheckedScript {
    /// The names that a new variable must not have.
    fileprivate var names: Set<String> {
        let calls = statements.flatMap(\.withAllInside).compactMap { statement -> CommandCall? in
            if case .command(let call) = statement { call } else { nil }
        }
        return Set(
            calls.flatMap { call in
                ["NAME", "X", "AS", "PARAM"].flatMap { call.arguments($0) }.compactMap(\.template.literalText)
            })
    }
}
