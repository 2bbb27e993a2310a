import Reactor
import Results

/// A block with its own names, rounds, or a guardian that handles its failures.
package final class Scope {
    package var names: [(name: String, value: [UInt8])]
    package var rounds: Rounds?
    let guardian: (any Guardian)?
    /// Whether the resources opened inside are closed with it.
    let holds: Bool
    /// Whether it is the block of a test: the blocks of `defer` inside run at its end.
    let isTest: Bool
    /// The blocks of `defer` that run at its end, the last one first.
    var deferred: [Call] = []

    package init(
        names: [(name: String, value: [UInt8])] = [], rounds: Rounds? = nil, guardian: (any Guardian)? = nil,
        holds: Bool = false, isTest: Bool = false
    ) {
        self.names = names
        self.rounds = rounds
        self.guardian = guardian
        self.holds = holds
        self.isTest = isTest
    }

    /// Returns the value of a name in this scope, or nil.
    package func value(of name: String) -> [UInt8]? {
        if rounds != nil, rounds?.name == name { return rounds?.value }
        for index in names.indices where names[index].name == name { return names[index].value }
        return nil
    }
}

/// Handles the failures of a block: `try`, `retry`, `test`.
package protocol Guardian: AnyObject {
    /// The latest instant at which waits inside the block end.
    var deadline: Instant? { get }
    /// Handles a failure by entering scopes and setting the position to continue at, or throws the failure on.
    ///
    /// - Parameter holdings: the resources that the block has opened, if its scope holds them.
    func recover(from failure: Failure, in strand: Strand, _ holdings: Holdings?) throws(Failure)
    /// Called when the script ends inside the block with an external failure.
    func abandon(with failure: Failure, in strand: Strand, _ holdings: Holdings?)
}

extension Guardian {
    package var deadline: Instant? { nil }
    package func abandon(with failure: Failure, in strand: Strand, _ holdings: Holdings?) {}
}

/// Supplies the variables of each round of a loop.
package protocol RowSource: AnyObject {
    /// Returns the names and values of the next round, or nil if there is none.
    func next() throws(Failure) -> [(name: String, value: [UInt8])]?
}

/// The times at which the rounds of a loop are due.
package struct Schedule {
    private let began: Instant
    private let interval: Duration
    private var round = 0
    /// When the current round was due; nil once it has been taken.
    var due: Instant?

    /// The first round is due at `began`.
    package init(from began: Instant, every interval: Duration) {
        self.began = began
        self.interval = interval
        due = began
    }

    /// Returns when the next round is due.
    package mutating func advance() -> Instant {
        round += 1
        let next = began + interval * round
        due = next
        return next
    }
}

/// The rounds of a loop: consecutive numbers, or values one after the other.
package struct Rounds {
    /// An element that a loop iterates over.
    package enum Item {
        case value([UInt8])
        case numbers(ClosedRange<Int>)
    }

    /// The name of the loop variable, or nil.
    package let name: String?
    private let items: [Item]
    /// When each round is due, for rounds that begin at fixed times.
    package var schedule: Schedule?
    /// The source of rounds with several variables; nil for one variable.
    let rows: (any RowSource)?
    private var index = 0
    private var number: Int?
    private var overriding: [UInt8]?

    package init(name: String?, items: [Item]) {
        self.name = name
        self.items = items
        rows = nil
    }

    package init(rows: any RowSource) {
        name = nil
        items = []
        self.rows = rows
    }

    /// Advances to the next round; returns false if there is none.
    package mutating func advance() -> Bool {
        overriding = nil
        if let current = number, case .numbers(let range) = items[index - 1], current < range.upperBound {
            number = current + 1
            return true
        }
        number = nil
        guard index < items.count else { return false }
        if case .numbers(let range) = items[index] { number = range.lowerBound }
        index += 1
        return true
    }

    /// The value of the current round.
    package var value: [UInt8] {
        if let overriding { return overriding }
        if let number { return Array(String(number).utf8) }
        guard index > 0, case .value(let value) = items[index - 1] else { return [] }
        return value
    }

    /// Gives the name another value until the next round.
    mutating func override(_ value: [UInt8]) {
        overriding = value
    }
}
