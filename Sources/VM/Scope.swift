import Reactor
import Results

/// A block with something of its own: names, rounds, or a guardian that takes its failures.
package final class Scope {
    package var names: [(name: String, value: [UInt8])]
    package var rounds: Rounds?
    let guardian: (any Guardian)?
    /// Whether what is opened inside is closed with it.
    let holds: Bool

    package init(
        names: [(name: String, value: [UInt8])] = [], rounds: Rounds? = nil, guardian: (any Guardian)? = nil,
        holds: Bool = false
    ) {
        self.names = names
        self.rounds = rounds
        self.guardian = guardian
        self.holds = holds
    }

    /// The value that a name has here, or nil.
    package func value(of name: String) -> [UInt8]? {
        if rounds != nil, rounds?.name == name { return rounds?.value }
        for index in names.indices where names[index].name == name { return names[index].value }
        return nil
    }
}

/// Takes the failures of a block: `try`, `retry`, `test`.
package protocol Guardian: AnyObject {
    /// Waits inside end no later than this.
    var deadline: Instant? { get }
    /// Takes a failure and lets the strand go on at a position, with scopes entered as it wants them; or throws it on.
    ///
    /// - Parameter holdings: what the block has opened, where its scope holds that.
    func recover(from failure: Failure, in strand: Strand, _ holdings: Holdings?) throws(Failure)
    /// The script ends inside with a failure that came from elsewhere.
    func abandon(with failure: Failure, in strand: Strand)
}

extension Guardian {
    package var deadline: Instant? { nil }
    package func abandon(with failure: Failure, in strand: Strand) {}
}

/// The rounds of a loop: numbers that are counted, or values one after the other.
package struct Rounds {
    /// What a loop goes through.
    package enum Item {
        case value([UInt8])
        case numbers(ClosedRange<Int>)
    }

    /// The loop's name, or nil.
    package let name: String?
    private let items: [Item]
    private var index = 0
    private var number: Int?
    private var overriding: [UInt8]?

    package init(name: String?, items: [Item]) {
        self.name = name
        self.items = items
    }

    /// Goes to the next round; false when there is none.
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

    /// The value of this round.
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
