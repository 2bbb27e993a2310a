/// Text with `${name}` variables, from an argument or an arrow line; expanded once the variables are known.
package struct Template {
    package enum Segment {
        case literal([UInt8])
        case expansion(Expansion)
    }

    package private(set) var segments: [Segment]

    package init(_ literal: [UInt8] = []) {
        segments = literal.isEmpty ? [] : [.literal(literal)]
    }

    /// The bytes if the template contains no variable, otherwise nil.
    package var literal: [UInt8]? {
        switch segments.count {
        case 0: return []
        case 1:
            if case .literal(let bytes) = segments[0] { return bytes }
            return nil
        default: return nil
        }
    }

    /// The literal as text, or nil.
    package var literalText: String? {
        literal.map { String(validating: $0, as: UTF8.self) ?? Escapes.visible($0) }
    }

    /// The expansion if the template is exactly one, otherwise nil.
    package var soleExpansion: Expansion? {
        guard segments.count == 1, case .expansion(let expansion) = segments[0] else { return nil }
        return expansion
    }

    /// The name if the template is exactly one variable without functions, otherwise nil.
    package var soleVariable: String? { soleExpansion?.plainName }

    /// Whether it begins with the variable `name`, followed by a slash.
    package func isInside(directory name: String) -> Bool {
        guard segments.count >= 2, case .expansion(let first) = segments[0], first.plainName == name,
            case .literal(let rest) = segments[1]
        else { return false }
        return rest.first == UInt8(ascii: "/")
    }

    /// The expansions, from left to right; those inside others are not included.
    package var expansions: [Expansion] {
        segments.compactMap { segment in
            if case .expansion(let expansion) = segment { return expansion }
            return nil
        }
    }

    /// The expansions, including those in computed names and arguments.
    var allExpansions: [Expansion] {
        expansions.flatMap { [$0] + $0.inner.flatMap(\.allExpansions) }
    }

    /// The literal parts, from left to right.
    var literalParts: [[UInt8]] {
        segments.compactMap { segment in
            if case .literal(let bytes) = segment { return bytes }
            return nil
        }
    }

    /// Returns the expanded bytes; `value` returns the value of each expansion.
    package func expanded<Failure: Error>(
        _ value: (Expansion) throws(Failure) -> [UInt8]
    ) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        for segment in segments {
            switch segment {
            case .literal(let literal): bytes += literal
            case .expansion(let expansion): bytes += try value(expansion)
            }
        }
        return bytes
    }

    /// Returns the parts before and after the first `separator`; nil if there is none outside the variables.
    package func divided(at separator: String) -> (Template, Template)? {
        for (index, segment) in segments.enumerated() {
            guard case .literal(let bytes) = segment,
                let place = bytes.indices.first(where: { bytes[$0...].starts(with: separator.utf8) })
            else { continue }
            var before = Template()
            before.segments = Array(segments[..<index])
            if place > 0 { before.append(bytes[..<place]) }
            var after = Template(Array(bytes[(place + separator.utf8.count)...]))
            after.segments += segments[(index + 1)...]
            return (before, after)
        }
        return nil
    }

    mutating func append(_ bytes: some Sequence<UInt8>) {
        if case .literal(var literal)? = segments.last {
            segments.removeLast()
            literal += bytes
            segments.append(.literal(literal))
        } else {
            segments.append(.literal(Array(bytes)))
        }
    }

    mutating func append(_ other: Template) {
        for segment in other.segments {
            switch segment {
            case .literal(let bytes): append(bytes)
            case .expansion(let expansion): append(expansion)
            }
        }
    }

    mutating func append(_ expansion: Expansion) {
        segments.append(.expansion(expansion))
    }
}

/// How the text around `${name}` is parsed.
enum TemplateNotation {
    /// Arrow lines and "double" quotes: all escapes.
    case escapes
    /// Bare arguments: only `\${`.
    case bare
    /// Arguments of functions and computed names: no escapes.
    case argument
    /// Regexes: backslashes are left to PCRE2; `\${` becomes a pattern for the two characters.
    case regex
}

extension Template {
    /// Parses `text`, which begins at byte `offset` of the line that `line` refers to.
    init(
        parsing text: [UInt8], notation: TemplateNotation, at line: SourceRange, offset: Int, depth: Int = 0
    ) throws(ScriptError) {
        self.init()
        var index = 0
        var plainStart = 0
        while index < text.count {
            let byte = text[index]
            guard byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "$") else {
                index += 1
                continue
            }
            if plainStart < index { append(text[plainStart..<index]) }
            if byte == UInt8(ascii: "$") {
                try readVariable(text, at: &index, line: line, offset: offset, depth: depth)
            } else {
                try readBackslash(text, at: &index, notation: notation, line: line, offset: offset)
            }
            plainStart = index
        }
        if plainStart < text.count { append(text[plainStart...]) }
    }

    private mutating func readVariable(
        _ text: [UInt8], at index: inout Int, line: SourceRange, offset: Int, depth: Int
    ) throws(ScriptError) {
        guard index + 1 < text.count, text[index + 1] == UInt8(ascii: "{") else {
            append([text[index]])
            index += 1
            return
        }
        let start = offset + index
        guard let end = Expansion.end(in: text, from: index) else {
            throw ScriptError(
                line.at(start..<offset + text.count), "'${' without '}'",
                hint: "for a literal '${' write '\\${'")
        }
        guard depth < ExpansionParser.deepest else {
            throw ScriptError(
                line.at(start..<start + 2), "expansions are nested too deeply (limit \(ExpansionParser.deepest))")
        }
        var parser = ExpansionParser(text, index..<end, line: line, offset: offset, depth: depth)
        append(try parser.parse())
        index = end
    }

    private mutating func readBackslash(
        _ text: [UInt8], at index: inout Int, notation: TemplateNotation, line: SourceRange, offset: Int
    ) throws(ScriptError) {
        let isLiteralBrace =
            index + 2 < text.count && text[index + 1] == UInt8(ascii: "$") && text[index + 2] == UInt8(ascii: "{")
        switch notation {
        case .escapes:
            let start = index
            do {
                append(try Escapes.decode(text, at: &index))
            } catch {
                throw ScriptError(line.at(offset + start..<offset + start + error.length), error.message)
            }
        case .argument:
            append([text[index]])
            index += 1
        case .bare:
            append(isLiteralBrace ? "${".utf8 : "\\".utf8)
            index += isLiteralBrace ? 3 : 1
        case .regex where isLiteralBrace:
            append("\\$\\{".utf8)
            index += 3
        case .regex:
            append(text[index..<min(index + 2, text.count)])
            index += 2
        }
    }
}

extension SourceRange {
    /// Returns a range of other columns in the same line.
    func at(_ columns: Range<Int>) -> SourceRange {
        SourceRange(source: source, line: line, columns: columns)
    }
}

/// Whether `name` is valid in `${name}`.
func isVariableName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.allSatisfy(isNameByte)
}

/// Whether `byte` is a letter, a digit or one of `_ - .`: the bytes of session and variable names.
package func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
        true
    default: false
    }
}
