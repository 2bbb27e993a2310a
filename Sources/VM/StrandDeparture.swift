import Results
import Script

/// Leaving blocks and calls before their end, and the blocks of `defer` that run then.
extension Strand {
    /// Runs a block when the test, the call, the strand or the script around it ends. It sees the names and captures of
    /// this place.
    package func `defer`(_ block: Definition, at range: SourceRange) {
        let names = visibleNames.map { (name: $0, value: $1) }
        add(deferred: Call(definition: block, scope: Scope(names: names), captures: captures, range: range))
    }

    func add(deferred call: Call) {
        if let scope = scopes.last(where: \.isTest) ?? (callers.isEmpty ? nil : scopes.first) {
            scope.deferred.append(call)
        } else if place == nil {
            scheduler.deferred.append(call)
        } else {
            deferred.append(call)
        }
    }

    /// Returns the next block of `defer` of the test that the strand is in, at the end of the test.
    package func nextDeferred() -> Call? { scopes.last?.deferred.popLast() }

    /// Removes and returns the blocks of `defer` that have not run, outermost first, with the variables of the strand.
    func takeDeferred() -> [Call] {
        let all = deferred + (callers.flatMap(\.scopes) + scopes).flatMap(\.deferred)
        deferred = []
        for scope in callers.flatMap(\.scopes) + scopes { scope.deferred = [] }
        for call in all { call.scope.names += own.map { ($0, $1) } }
        return all
    }

    /// Leaves blocks and calls until a block of `defer` has to run first, or until a guardian handles the failure and
    /// sets the position to continue at. Returns the outcome if the strand ends, nil if it continues.
    func depart(_ cause: Departure) -> Scheduler.Outcome? {
        var cause = cause
        while true {
            while let scope = scopes.last {
                if let call = scope.deferred.popLast() {
                    begin(call, then: cause)
                    return nil
                }
                let held = scope.holds ? holdings : nil
                leaveScope()
                guard let guardian = scope.guardian else { continue }
                guard let next = pass(cause, to: guardian, held) else { return nil }
                cause = next
            }
            guard let frame = callers.last else { break }
            restoreCaller()
            guard let first = frame.cause else { continue }
            // The block of 'defer' itself has failed; what it was run for comes first.
            if case .failure(let failure) = cause { scheduler.host.report(failure) }
            cause = first
        }
        if let call = deferred.popLast() {
            begin(call, then: cause)
            return nil
        }
        switch cause {
        case .failure(let failure): return .failed(failure)
        case .end(let outcome): return outcome
        }
    }

    /// Notifies a guardian; returns nil if it has handled a failure, otherwise the cause for the next one.
    private func pass(_ cause: Departure, to guardian: any Guardian, _ held: Holdings?) -> Departure? {
        switch cause {
        case .failure(let failure):
            do throws(Failure) {
                try guardian.recover(from: failure, in: self, held)
                return nil
            } catch {
                return .failure(error)
            }
        case .end(.failed(let failure)):
            guardian.abandon(with: failure, in: self, held)
            return cause
        case .end: return cause
        }
    }
}
