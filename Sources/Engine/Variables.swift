import Script

/// The variables of a script.
package final class Variables {
    /// Where the value of one variable is kept, for as long as the script runs.
    final class Cell {
        fileprivate(set) var value: [UInt8]?
    }

    private var cells: [String: Cell] = [:]

    package init(_ values: [String: [UInt8]] = [:]) {
        for (name, value) in values { self[name] = value }
    }

    package var names: [String] { cells.filter { $0.value.value != nil }.map(\.key) }

    subscript(name: String) -> [UInt8]? {
        get { cells[name]?.value }
        set { cell(name).value = newValue }
    }

    fileprivate func cell(_ name: String) -> Cell {
        if let cell = cells[name] { return cell }
        let cell = Cell()
        cells[name] = cell
        return cell
    }
}

/// A name in an instruction, which remembers where the script's variable of that name is kept: a loop does not look it up
/// each time.
final class VariableReference {
    let name: String
    let range: SourceRange
    private var cell: Variables.Cell?

    init(name: String, range: SourceRange) {
        self.name = name
        self.range = range
    }

    /// The script's variable; always asked for in the same script, whose instruction this belongs to.
    func value(in variables: Variables) -> [UInt8]? {
        find(in: variables).value
    }

    func set(_ value: [UInt8], in variables: Variables) {
        find(in: variables).value = value
    }

    private func find(in variables: Variables) -> Variables.Cell {
        if let cell { return cell }
        let found = variables.cell(name)
        cell = found
        return found
    }
}
