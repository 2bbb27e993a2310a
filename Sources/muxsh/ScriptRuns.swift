import Commands
import Engine
import Reactor
import Results
import Script

/// The runs of scripts from their beginning to their status.
extension Shell {
    func runAll(_ scripts: [CheckedScript], thenPrompts: Bool) -> Int32 {
        var statuses: [Int32] = []
        let output = makeOutput()
        for (index, script) in scripts.enumerated() {
            let world = makeWorld(output: output)
            let stays = thenPrompts && index == scripts.count - 1
            // 'save' at the prompt that follows includes the script.
            if stays { world.transcript.record() }
            let first = openSessions(in: world) ?? run(script.script, in: world, as: .script(isWhole: !stays))
            let isExit = first != nil && { if case .exited = world.outcome { true } else { false } }()
            let early = stays && interruption == nil ? first : runDeferred(in: world, after: first)
            if stays && interruption == nil {
                report(latenciesOf: world)
                statuses.append(statusWithTests(early ?? 0, of: script.source.name))
                let status = conclude(statuses)
                return Prompt(self).run(continuing: world, on: output, status: status)
            }
            let status = early ?? endInput(of: world)
            report(latenciesOf: world)
            let outputStatus = finish(world)
            statuses.append(outputStatus ?? statusWithTests(status, of: script.source.name))
            if interruption != nil || outputStatus != nil { break }
            // `exit` ends the whole run, not only this script. So does a failure that a report has recorded as the end.
            if isExit { break }
            if hasFailedOutsideTest && !invocation.reports.isEmpty { break }
        }
        return conclude(statuses)
    }

    /// Runs a script once, without reports, and returns its status; 0 if it has passed.
    func runOnce(_ script: CheckedScript) -> Int32 {
        let world = makeWorld(output: makeOutput())
        let first = openSessions(in: world) ?? run(script.script, in: world, as: .script(isWhole: true))
        let status = runDeferred(in: world, after: first) ?? endInput(of: world)
        return finish(world) ?? statusWithTests(status, of: script.source.name)
    }

    /// Waits until the sessions that are still open end (muxsh(1), END OF INPUT).
    func endInput(of world: World) -> Int32 {
        world.endBackgrounds()
        endsInput = true
        defer { endsInput = false }
        let ending = EndOfInput(world)
        while !ending.isOver && interruption == nil && !world.output.isBroken {
            world.turn()
            if let status = strayStatus(of: world) { return status }
        }
        if let interruption { return interruption.rawValue }
        for note in ending.remarks + ending.problems {
            world.diagnostics.report(line: "muxsh: \(note)")
        }
        return ending.problems.isEmpty ? 0 : Failure.Status.connection.rawValue
    }

    /// Shows the run times of the `time` blocks of a script that has ended, and adds them to the reports.
    func report(latenciesOf world: World) {
        reports?.add(world.latencies.intervals)
        world.printLatencies()
    }

    /// Returns the status of a script including its tests; `status` is how it ended otherwise. Reports a script without
    /// tests as a test.
    private func statusWithTests(_ status: Int32, of name: String) -> Int32 {
        defer { testsBefore = results.records.count }
        let tests = results.status(from: testsBefore)
        if status == 0, tests == nil, results.unselected == 0 { reports?.addScript(name) }
        // A script that is skipped after tests have run is not skipped as a whole.
        return status == 0 || status == Failure.Status.skipped.rawValue ? tests ?? status : status
    }

    /// Ends the reports and prints the number of tests; returns the status of the whole run.
    private func conclude(_ statuses: [Int32]) -> Int32 {
        let skipped = Failure.Status.skipped.rawValue
        var result = statuses.first { $0 != 0 && $0 != skipped } ?? 0
        if result == 0, !statuses.isEmpty, statuses.allSatisfy({ $0 == skipped }) {
            result = reportsUseStandardOutput ? 0 : skipped
        }
        reports?.end(status: result, skipReason: skipReason)
        if result != 0, result != skipped, random.isUsed, invocation.seed == nil {
            say("muxsh: ${random} was used; to repeat this run: --seed \(random.seed)\n")
        }
        if let shuffle = invocation.shuffle, !shuffle.isChosen, !results.records.isEmpty {
            say("muxsh: to repeat this order of the tests: --shuffle=\(shuffle.seed)\n")
        }
        for line in results.flaky + (invocation.isVerbose ? results.slowest : []) { say("muxsh: \(line)\n") }
        if let mode = invocation.bless { result = bless(mode, after: result) }
        if let summary = results.summary(took: loop.readClock() - start) { say("muxsh: \(summary)\n") }
        if let filter = invocation.filter, results.records.isEmpty, result == 0 {
            say("muxsh: --filter '\(visible(filter.description))' matches no tests\n")
            result = Failure.Status.usage.rawValue
        }
        while !output.isDrained && interruption == nil { loop.turn() }
        if let problem = reports?.problem { say(problem) }
        let isIncomplete = standardOutput.isBroken || reports?.problem != nil
        return result == 0 && isIncomplete ? Failure.Status.connection.rawValue : result
    }

    /// Returns the status of a run of one script.
    func concludeTests(_ status: Int32, of name: String) -> Int32 {
        conclude([statusWithTests(status, of: name)])
    }

    /// Opens the sessions requested by -o, whose addresses were checked with the options. Returns a status on failure.
    func openSessions(in world: World) -> Int32? {
        guard !invocation.sessions.isEmpty else { return nil }
        var parser = reader.parser(for: SourceText(name: "-o"))
        for session in invocation.sessions {
            // The argument is escaped where it is not plain text.
            parser.feed(Array("open \(session.name) \(quotedArgument(session.value))".utf8))
        }
        do throws(ScriptErrors) {
            return run(try registry.compile(parser.completed), in: world)
        } catch {
            say(error.rendered)
            return Failure.Status.script.rawValue
        }
    }
}
