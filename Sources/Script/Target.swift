/// The sessions a line talks to: names, a comma list, globs.
package struct Target {
    /// One name or glob of the list.
    package struct Item {
        package let template: Template
        package let range: SourceRange
    }

    package let items: [Item]
    package let range: SourceRange

    /// Reads a target from a word or the front of an arrow line.
    package init(_ template: Template, range: SourceRange) throws(ScriptError) {
        self.range = range
        var parts: [Template] = [Template()]
        for segment in template.segments {
            switch segment {
            case .variable(let name, let variableRange):
                parts[parts.count - 1].append(variable: name, range: variableRange)
            case .literal(let bytes):
                let pieces = bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
                for (index, piece) in pieces.enumerated() {
                    if index > 0 { parts.append(Template()) }
                    if !piece.isEmpty { parts[parts.count - 1].append(piece) }
                }
            }
        }
        guard parts.allSatisfy({ !$0.segments.isEmpty }) else {
            throw ScriptError(range, "an empty name in a list of sessions")
        }
        for part in parts {
            if let name = part.literalText, !isTargetItem(name) {
                throw ScriptError(range, "'\(name)' is not a session's name; names have letters, digits and '_ - .'")
            }
        }
        items = parts.map { Item(template: $0, range: range) }
    }
}

/// Whether `text` can name sessions: a name, or a glob with `*` and `?`.
private func isTargetItem(_ text: String) -> Bool {
    text.utf8.allSatisfy { isNameByte($0) || $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }
}

/// Whether `name` can be given to a session: a letter or `_`, then letters, digits and `_ - .`.
package func isSessionName(_ name: String) -> Bool {
    guard let first = name.utf8.first, isNameByte(first) else { return false }
    return first >= UInt8(ascii: "A") && name.utf8.allSatisfy(isNameByte)
}

/// Whether `text` is a glob rather than a name.
package func isGlob(_ text: String) -> Bool {
    text.utf8.contains(UInt8(ascii: "*")) || text.utf8.contains(UInt8(ascii: "?"))
}

/// Whether `name` matches `glob`: `*` is any run of characters, `?` any one.
package func globMatches(_ glob: String, _ name: String) -> Bool {
    let glob = Array(glob.utf8)
    let name = Array(name.utf8)
    var globIndex = 0
    var nameIndex = 0
    var retry: (glob: Int, name: Int)?
    while nameIndex < name.count {
        if globIndex < glob.count, glob[globIndex] == UInt8(ascii: "*") {
            retry = (globIndex + 1, nameIndex)
            globIndex += 1
        } else if globIndex < glob.count, glob[globIndex] == UInt8(ascii: "?") || glob[globIndex] == name[nameIndex] {
            globIndex += 1
            nameIndex += 1
        } else if let (star, start) = retry {
            // Let the last star take one character more.
            retry = (star, start + 1)
            globIndex = star
            nameIndex = start + 1
        } else {
            return false
        }
    }
    return glob[globIndex...].allSatisfy { $0 == UInt8(ascii: "*") }
}
