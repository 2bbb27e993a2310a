/// One `${name}`, `${prefix-${name}}` or `${name:function:function(argument)}`.
///
///     expansion = "${" name { ":" function [ "(" argument { "," argument } ")" ] } "}"
///     name      = { letter | digit | "_" | "-" | "." | expansion }
///     argument  = { any byte except "," ")" "}" quotes and spaces | expansion }
///
/// A class, because templates are copied where they run.
package final class Expansion {
    /// One function with its arguments. A class, because a loop that applies it copies it.
    package final class Application {
        package let function: ValueFunction
        package let arguments: [Template]
        package let range: SourceRange

        init(function: ValueFunction, arguments: [Template], range: SourceRange) {
            self.function = function
            self.arguments = arguments
            self.range = range
        }
    }

    /// The name; it contains expansions of its own if it is computed.
    package let name: Template
    /// The name, if it is not computed.
    package let literalName: String?
    /// The functions, applied from left to right.
    package let functions: [Application]
    package let range: SourceRange
    /// The text between `${` and `}`, as written.
    package let title: String

    init(name: Template, functions: [Application], range: SourceRange, title: String) {
        self.name = name
        self.functions = functions
        self.range = range
        self.title = title
        literalName = name.literalText
    }

    /// The name, if it is not computed and no function is applied.
    package var plainName: String? { functions.isEmpty ? literalName : nil }

    /// The templates inside: a computed name and the arguments.
    var inner: [Template] { (literalName == nil ? [name] : []) + functions.flatMap(\.arguments) }

    /// Returns the index after the `}` of the expansion that begins at `index` of `text`, or nil if it is not closed.
    static func end(in text: [UInt8], from index: Int) -> Int? {
        var depth = 0
        var index = index
        while index < text.count {
            if text[index] == UInt8(ascii: "$"), index + 1 < text.count, text[index + 1] == UInt8(ascii: "{") {
                depth += 1
                index += 2
                continue
            }
            if text[index] == UInt8(ascii: "}") { depth -= 1 }
            index += 1
            if depth == 0 { return index }
        }
        return nil
    }
}

/// Reads the inside of one expansion.
struct ExpansionParser {
    private let text: [UInt8]
    private let line: SourceRange
    private let offset: Int
    private let end: Int
    private var index: Int
    /// How many expansions it is in.
    private let depth: Int

    static let deepest = 32

    /// `text[range]` is a whole `${…}`; `offset` is the column of `text` in `line`.
    init(_ text: [UInt8], _ range: Range<Int>, line: SourceRange, offset: Int, depth: Int) {
        self.text = text
        self.line = line
        self.offset = offset
        self.depth = depth
        index = range.lowerBound + 2
        end = range.upperBound - 1
    }

    mutating func parse() throws(ScriptError) -> Expansion {
        let start = index
        let name = try readName()
        var functions: [Expansion.Application] = []
        while index < end {
            index += 1
            functions.append(try readFunction())
            guard index == end || text[index] == UInt8(ascii: ":") else {
                throw ScriptError(
                    columns(index..<index + 1), "expected ':' or '}' after a function in '${…}'", hint: Self.hint)
            }
        }
        return Expansion(
            name: name, functions: functions, range: columns(start - 2..<end + 1),
            title: String(decoding: text[start..<end], as: UTF8.self))
    }

    private static let hint = "'help functions' lists the functions"

    private func columns(_ range: Range<Int>) -> SourceRange {
        line.at(offset + range.lowerBound..<offset + range.upperBound)
    }

    /// Moves to the first byte that `isEnd` accepts outside of inner expansions, or to the end.
    private mutating func skip(until isEnd: (UInt8) -> Bool) {
        while index < end, !isEnd(text[index]) {
            if text[index...].starts(with: "${".utf8), let close = Expansion.end(in: text, from: index) {
                index = close
            } else {
                index += 1
            }
        }
    }

    private mutating func readName() throws(ScriptError) -> Template {
        let start = index
        skip { $0 == UInt8(ascii: ":") }
        let name = Array(text[start..<index])
        let template = try Template(
            parsing: name, notation: .argument, at: line, offset: offset + start, depth: depth + 1)
        if template.literal == nil, template.literalParts.joined().allSatisfy(isNameByte) { return template }
        let shown = String(decoding: name, as: UTF8.self)
        guard isVariableName(shown) else {
            throw ScriptError(
                columns(start - 2..<end + 1),
                "'\(shown)' is not a valid variable name: use letters, digits, '_', '-' and '.'")
        }
        return template
    }

    private mutating func readFunction() throws(ScriptError) -> Expansion.Application {
        let start = index
        while index < end, isNameByte(text[index]) { index += 1 }
        let name = String(decoding: text[start..<index], as: UTF8.self)
        guard let function = ValueFunction(rawValue: name) else {
            let known = ValueFunction.allCases.map(\.rawValue)
            let nearest = nearestSpelling(of: name, among: known)
            throw ScriptError(
                columns(start..<max(index, start + 1)), "unknown function '\(name)'",
                hint: nearest.map { "did you mean '\($0)'?" } ?? Self.hint)
        }
        let arguments = try readArguments()
        let range = columns(start..<index)
        guard arguments.count == function.arguments.count else {
            throw ScriptError(
                range, "\(name) takes \(counted(function.arguments.count, "argument")), not \(arguments.count)",
                hint: "write ${NAME:\(function.usage)}")
        }
        for (place, argument) in arguments.enumerated() {
            guard let literal = argument.literal else { continue }
            if let problem = function.problem(with: literal, at: place) { throw ScriptError(range, problem) }
        }
        return Expansion.Application(function: function, arguments: arguments, range: range)
    }

    private mutating func readArguments() throws(ScriptError) -> [Template] {
        guard index < end, text[index] == UInt8(ascii: "(") else { return [] }
        let open = index
        var arguments: [Template] = []
        repeat {
            index += 1
            arguments.append(try readArgument())
            guard index < end else { throw ScriptError(columns(open..<open + 1), "'(' without ')' in '${…}'") }
        } while text[index] == UInt8(ascii: ",")
        index += 1
        return arguments
    }

    private mutating func readArgument() throws(ScriptError) -> Template {
        let start = index
        skip { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: ")") }
        let argument = Array(text[start..<index])
        if let place = argument.firstIndex(where: { isBlank($0) || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "'") }
        ) {
            throw ScriptError(
                columns(start + place..<start + place + 1), "no spaces and quotes in the arguments of a function",
                hint: "put the text into a variable and write ${NAME} here")
        }
        return try Template(parsing: argument, notation: .argument, at: line, offset: offset + start, depth: depth + 1)
    }
}
