import Script

/// The variables of a script.
package final class Variables {
    private var values: [String: [UInt8]]

    package init(_ values: [String: [UInt8]] = [:]) {
        self.values = values
    }

    package var names: [String] { Array(values.keys) }

    subscript(name: String) -> [UInt8]? {
        get { values[name] }
        set { values[name] = newValue }
    }
}
