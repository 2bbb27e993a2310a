import Glibc

/// The environment of this process (environ(7)).
package enum Environment {
    /// Returns the value of a variable unchanged, which may be empty, or nil if it is not set.
    package static func value(of name: SystemString) -> SystemString? {
        name.withCString { name in getenv(name).map { SystemString(copying: $0) } }
    }

    /// Returns the value of a variable that configures this program. An empty value counts as not set.
    package static func setting(_ name: SystemString) -> SystemString? {
        value(of: name).flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The names of all variables.
    package static var names: [SystemString] {
        var names: [SystemString] = []
        var entry = environ
        while let text = entry.pointee {
            if let name = SystemString(SystemString(copying: text).bytes.prefix { $0 != UInt8(ascii: "=") }) {
                names.append(name)
            }
            entry += 1
        }
        return names
    }
}

/// Returns the message for the current errno, with a lower-case first letter (strerror(3)).
package func lastErrorMessage() -> String {
    errorMessage(errno)
}

/// Returns the message for an error number, with a lower-case first letter (strerror(3)).
package func errorMessage(_ number: Int32) -> String {
    let text = strerror(number).map { String(cString: $0) } ?? "error \(number)"
    return text.prefix(1).lowercased() + text.dropFirst()
}
