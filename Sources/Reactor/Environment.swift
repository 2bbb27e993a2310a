import Glibc

/// The environment of this process (environ(7)).
package enum Environment {
    /// The value of a variable as it is, which may be empty; nil when it is not set.
    package static func value(of name: SystemString) -> SystemString? {
        name.withCString { name in getenv(name).map { SystemString(copying: $0) } }
    }

    /// The value of a variable that governs what we do: one that is empty counts as not set.
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

/// The present value of errno in words, without capital (strerror(3)).
package func lastErrorMessage() -> String {
    errorMessage(errno)
}

/// An error number in words, without capital (strerror(3)).
package func errorMessage(_ number: Int32) -> String {
    let text = strerror(number).map { String(cString: $0) } ?? "error \(number)"
    return text.prefix(1).lowercased() + text.dropFirst()
}
