import Glibc

/// The sessions that a line addresses: names, globs, or a comma-separated list of them.
package struct Target {
    /// One name or glob of the list.
    package struct Item {
        package let template: Template
        package let range: SourceRange
    }

    package let items: [Item]
    package let range: SourceRange

    /// Parses a target from an argument or the beginning of an arrow line.
    package init(_ template: Template, range: SourceRange) throws(ScriptError) {
        self.range = range
        var parts: [Template] = [Template()]
        for segment in template.segments {
            switch segment {
            case .expansion(let expansion): parts[parts.count - 1].append(expansion)
            case .literal(let bytes):
                let pieces = bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
                for (index, piece) in pieces.enumerated() {
                    if index > 0 { parts.append(Template()) }
                    if !piece.isEmpty { parts[parts.count - 1].append(piece) }
                }
            }
        }
        guard parts.allSatisfy({ !$0.segments.isEmpty }) else {
            throw ScriptError(range, "empty name in a list of sessions")
        }
        for part in parts {
            if let name = part.literalText, !isTargetItem(name) {
                throw ScriptError(range, "'\(name)' is not a valid session name: use letters, digits, '_', '-' and '.'")
            }
        }
        items = parts.map { Item(template: $0, range: range) }
    }
}

/// Whether `text` is a valid item of a target: a name, or a glob with `*` and `?`.
private func isTargetItem(_ text: String) -> Bool {
    text.utf8.allSatisfy { isNameByte($0) || $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }
}

/// Whether `name` is a valid session name: a letter or `_`, then letters, digits and `_ - .`.
package func isSessionName(_ name: String) -> Bool {
    guard let first = name.utf8.first, isNameByte(first) else { return false }
    return first >= UInt8(ascii: "A") && name.utf8.allSatisfy(isNameByte)
}

/// Whether `name` is the first part of built-in variables, such as `port.NAME`, so nothing else can have it.
package func isReservedName(_ name: String) -> Bool { ["port", "bad", "env", "prompt"].contains(name) }

/// Whether `text` is a glob rather than a name.
package func isGlob(_ text: String) -> Bool {
    text.utf8.contains(UInt8(ascii: "*")) || text.utf8.contains(UInt8(ascii: "?"))
}

/// Whether `name` matches `glob`: `*` matches any run of bytes, `?` any single byte (fnmatch(3), but brackets have no
/// special meaning).
package func globMatches(_ glob: String, _ name: String) -> Bool {
    guard !name.utf8.contains(0) else { return false }
    let pattern = glob.utf8.contains { $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: "\\") } ? escaped(glob) : glob
    return fnmatch(pattern, name, 0) == 0
}

private func escaped(_ glob: String) -> String {
    String(glob.flatMap { $0 == "[" || $0 == "\\" ? ["\\", $0] : [$0] })
}

/// Whether a name could match both globs, as far as a simple check can determine.
package func globsOverlap(_ one: String, _ other: String) -> Bool {
    isGlob(one) && isGlob(other) || globMatches(one, other) || globMatches(other, one)
}
