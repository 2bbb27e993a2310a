import Script

/// A compiled piece of a script that one strand or call runs from its first to its last instruction.
package final class Program {
    package private(set) var instructions: [any Instruction] = []
    /// The sessions and commands it may use.
    package var reach = Reach()
    /// In a strand's program: the variables that are the script's. All others that the strand sets are its own.
    package fileprivate(set) var shared = SharedNames()
    /// The indices of the instructions that begin a statement, in ascending order.
    private var starts: [Int] = []

    /// The sessions that statements may read from, as far as their text specifies them.
    package struct Reach {
        /// Sessions that may be read, as globs.
        package var targets: Set<String> = []
        /// Sessions that are only drained, as globs.
        package var drained: Set<String> = []
        /// Whether an `on` block reads from the session that triggered it, by ${session}.
        package var readsOwnSession = false
        /// Connections of listeners that are given names; both parts are globs.
        package var accepted: [(listener: String, name: String)] = []
        /// Defined commands that are called, by name.
        package var calls: Set<String> = []

        /// All sessions that may be read, under any name they may have by then.
        package var readable: Set<String> {
            targets.union(
                accepted.filter { connection in targets.contains { globsOverlap($0, connection.name) } }.map {
                    $0.listener + ".*"
                })
        }

        mutating func formUnion(_ other: Reach) {
            targets.formUnion(other.targets)
            drained.formUnion(other.drained)
            calls.formUnion(other.calls)
            accepted += other.accepted
            readsOwnSession = readsOwnSession || other.readsOwnSession
        }
    }

    func share(_ names: SharedNames) {
        shared = names
    }

    /// Marks the next instruction to be appended as the first of a statement.
    func beginStatement() {
        if starts.last != instructions.count { starts.append(instructions.count) }
    }

    package func append(_ instruction: any Instruction) {
        instructions.append(instruction)
    }

    package func replace(at index: Int, with instruction: any Instruction) {
        instructions[index] = instruction
    }

    /// Whether the instruction at `index` is the first of a statement.
    func beginsStatement(at index: Int) -> Bool {
        var (low, high) = (0, starts.count)
        while low < high {
            let middle = (low + high) / 2
            if starts[middle] < index { low = middle + 1 } else { high = middle }
        }
        return low < starts.count && starts[low] == index
    }
}
