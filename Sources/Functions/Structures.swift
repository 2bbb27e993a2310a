import CJansson
import Glibc
import Script

extension Call {
    /// `json-get` and `csv`.
    func element() throws(Functions.Failure) -> [UInt8] {
        if function == .jsonGet { return try JSON.element(of: value, at: arguments[0], self) }
        let number = try integer(0)
        var rows = CSV(value)
        let row: [[UInt8]]
        do throws(CSV.Failure) { row = try rows.next() ?? [] } catch { throw failure(error.message) }
        guard number <= row.count else {
            throw failure("has \(counted(row.count, "field")), not \(number)")
        }
        return row[number - 1]
    }
}

/// JSON (RFC 8259) by jansson.
enum JSON {
    private static let anyValue = Int(JSON_DECODE_ANY)

    /// `text` as the inside of a JSON string.
    static func escaped(_ text: [UInt8], _ call: Call) throws(Functions.Failure) -> [UInt8] {
        guard let quoted = quoted(text) else { throw call.failure("is not valid UTF-8") }
        return Array(quoted.dropFirst().dropLast())
    }

    /// `text` as a JSON string; nil if it is not UTF-8.
    static func quoted(_ text: [UInt8]) -> [UInt8]? {
        guard let string = withCharacters(text, { json_stringn($0, text.count) }) else { return nil }
        defer { json_decref(string) }
        return dump(string)
    }

    /// The text that the inside of a JSON string stands for.
    static func unescaped(_ text: [UInt8], _ call: Call) throws(Functions.Failure) -> [UInt8] {
        let quote = [UInt8(ascii: "\"")]
        guard let value = load(quote + text + quote, flags: anyValue | Int(JSON_ALLOW_NUL)),
            isOfType(value, JSON_STRING)
        else { throw call.failure("is not the inside of a JSON string") }
        defer { json_decref(value) }
        return bytes(of: value)
    }

    /// The element at `path`: keys and indexes separated by dots. An empty path is the whole value.
    static func element(of text: [UInt8], at path: [UInt8], _ call: Call) throws(Functions.Failure) -> [UInt8] {
        var problem = json_error_t()
        // As a real number no integer is too large; its digits are taken from the text.
        let flags = anyValue | Int(JSON_ALLOW_NUL) | Int(JSON_DECODE_INT_AS_REAL)
        guard let root = load(text, flags: flags, &problem) else {
            throw call.failure("is not JSON: \(message(of: problem))")
        }
        json_decref(root)
        var element = JSONText(text)
        let steps = path.isEmpty ? [] : path.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        for (count, step) in steps.enumerated() {
            guard let next = element.child(Array(step), key: { try? unescaped($0, call) }) else {
                let seen = steps[...count].map { Escapes.visible($0) }.joined(separator: ".")
                throw Functions.Failure(message: "json-get: no element '\(seen)'")
            }
            element = next
        }
        guard let inside = element.stringContents else { return element.compact }
        return try unescaped(inside, call)
    }

    /// Calls `body` with a pointer that is never nil, also for an empty text: jansson takes nil for an error.
    private static func withCharacters<Result>(
        _ text: [UInt8], _ body: (UnsafePointer<CChar>) -> Result?
    ) -> Result? {
        (text + [0]).withUnsafeBytes { bytes in
            bytes.baseAddress.flatMap { body($0.assumingMemoryBound(to: CChar.self)) }
        }
    }

    private static func load(_ text: [UInt8], flags: Int) -> UnsafeMutablePointer<json_t>? {
        var problem = json_error_t()
        return load(text, flags: flags, &problem)
    }

    private static func load(
        _ text: [UInt8], flags: Int, _ problem: inout json_error_t
    ) -> UnsafeMutablePointer<json_t>? {
        withCharacters(text) { json_loadb($0, text.count, flags, &problem) }
    }

    private static func message(of problem: json_error_t) -> String {
        withUnsafeBytes(of: problem.text) { bytes in
            // What follows 'near' quotes the text, which may be a secret.
            "\(Escapes.visible(bytes.prefix { $0 != 0 }).components(until: " near ")) (line \(problem.line), column \(problem.column))"
        }
    }

    private static func isOfType(_ value: UnsafeMutablePointer<json_t>, _ type: json_type) -> Bool {
        value.pointee.type == type
    }

    private static func bytes(of string: UnsafeMutablePointer<json_t>) -> [UInt8] {
        guard let text = json_string_value(string) else { return [] }
        return Array(UnsafeRawBufferPointer(start: text, count: json_string_length(string)))
    }

    private static func dump(_ value: UnsafeMutablePointer<json_t>) -> [UInt8]? {
        guard let text = json_dumps(value, Int(JSON_ENCODE_ANY)) else { return nil }
        defer { free(text) }
        return Array(UnsafeRawBufferPointer(start: text, count: strlen(text)))
    }
}

extension String {
    /// The text before the first `end`.
    fileprivate func components(until end: String) -> Substring {
        indices.first { self[$0...].hasPrefix(end) }.map { self[..<$0] } ?? self[...]
    }
}

extension Functions {
    /// Returns a text as a JSON string, with its quotes; nil if it is not UTF-8.
    package static func jsonString(_ text: [UInt8]) -> [UInt8]? { JSON.quoted(text) }
}
