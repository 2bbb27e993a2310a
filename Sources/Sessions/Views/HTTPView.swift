import Script

/// Shows HTTP/1.1 answers (RFC 9112): names of fields in a color, bodies without their chunks, JSON in rows, and the size
/// of bodies that are not text.
struct HTTPView: LineView {
    private enum State {
        case start
        case fields
        /// A body of which a number of bytes is left; nil if it lasts until the end.
        case body(left: Int?)
        /// The size of the next chunk.
        case chunkSize
        case chunk(left: Int)
        case trailers
    }

    /// Whether a text contains a secret: it is shown as it is, since rows could divide the secret.
    let hidesSecret: ([UInt8]) -> Bool
    private var state = State.start
    private var joiner = LineJoiner()
    private var fields: [String: String] = [:]
    /// The body so far, if it is shown as a whole.
    private var body: [UInt8] = []
    private var bodySize = 0

    init(hidesSecret: @escaping ([UInt8]) -> Bool) { self.hidesSecret = hidesSecret }

    /// The longest body that is held back, to show it as JSON.
    private static let longest = 1 << 20

    mutating func take(_ text: [UInt8], ending: [UInt8], isPart: Bool) -> [ViewRow]? {
        switch state {
        case .body(let left): return takeBody(text + ending, text, isPart: isPart, left: left)
        case .chunk(let left): return takeChunk(text, ending, isPart: isPart, left: left)
        case .start where isPart && joiner.isEmpty && !"HTTP/".utf8.starts(with: text.prefix(5)): return nil
        case .start, .fields, .chunkSize, .trailers:
            guard let line = joiner.join(text, isPart: isPart) else { return [] }
            return takeLine(line) ?? (line.count == text.count ? nil : [ViewRow(line)])
        }
    }

    private mutating func takeLine(_ line: [UInt8]) -> [ViewRow]? {
        switch state {
        case .start:
            guard line.starts(with: "HTTP/".utf8) else { return nil }
            fields = [:]
            state = .fields
            let isError = line.split(separator: 0x20).dropFirst().first.map { $0.first == 0x34 || $0.first == 0x35 }
            return [ViewRow(line, style: isError == true ? ViewStyle.error : ViewStyle.title)]
        case .fields:
            guard !line.isEmpty else {
                beginBody()
                return [ViewRow()]
            }
            return [field(line)]
        case .chunkSize:
            let size = line.prefix { $0 != 0x3B }
            guard let count = Int(String(decoding: size, as: UTF8.self).filter { $0 != " " }, radix: 16) else {
                state = .start
                return nil
            }
            guard count > 0 else {
                state = .trailers
                return endBody()
            }
            state = .chunk(left: count)
            return []
        case .trailers:
            if line.isEmpty { state = .start } else { return [field(line)] }
            return []
        case .body, .chunk: return nil
        }
    }

    private mutating func field(_ line: [UInt8]) -> ViewRow {
        guard let colon = line.firstIndex(of: 0x3A) else { return ViewRow(line) }
        let value = line[(colon + 1)...].drop { $0 == 0x20 || $0 == 0x09 }
        fields[String(decoding: line[..<colon], as: UTF8.self).lowercased()] = String(decoding: value, as: UTF8.self)
        var row = ViewRow(line[..<colon], style: ViewStyle.name)
        row.append(line[colon...])
        return row
    }

    private mutating func beginBody() {
        body = []
        bodySize = 0
        if fields["transfer-encoding"]?.lowercased().includes("chunked") == true {
            state = .chunkSize
        } else if let length = fields["content-length"].flatMap({ Int($0) }) {
            state = length > 0 ? .body(left: length) : .start
        } else {
            // Without a length, an answer to HEAD or one like 204 has no body; any other lasts until the end.
            state = fields.isEmpty ? .start : .body(left: nil)
        }
    }

    private var isText: Bool {
        let type = fields["content-type"]?.lowercased() ?? "text/plain"
        guard fields["content-encoding"] == nil else { return false }
        return type.hasPrefix("text/") || ["json", "xml", "javascript", "urlencoded"].contains { type.includes($0) }
    }

    private var isJSON: Bool { isText && fields["content-type"]?.lowercased().includes("json") == true }

    private mutating func takeBody(_ bytes: [UInt8], _ text: [UInt8], isPart: Bool, left: Int?) -> [ViewRow]? {
        // A new answer where none was expected to end: the former one had no body.
        if left == nil, bodySize == 0, text.starts(with: "HTTP/".utf8) {
            state = .start
            return takeLine(text)
        }
        guard let left else { return add(bytes, text, isPart: isPart) }
        if bytes.count < left {
            state = .body(left: left - bytes.count)
            return add(bytes, text, isPart: isPart)
        }
        let rows = add(Array(bytes.prefix(left)), Array(text.prefix(left)), isPart: false)
        let shown = (rows ?? [ViewRow(text.prefix(left))]) + endBody()
        state = .start
        let rest = text.dropFirst(left)
        // The next answer begins right after a body.
        guard !rest.isEmpty, let next = take(Array(rest), ending: [], isPart: isPart) else {
            return shown + (rest.isEmpty ? [] : [ViewRow(rest)])
        }
        return shown + next
    }

    private mutating func takeChunk(_ text: [UInt8], _ ending: [UInt8], isPart: Bool, left: Int) -> [ViewRow]? {
        let bytes = text + ending
        guard bytes.count >= left else {
            state = .chunk(left: left - bytes.count)
            return add(bytes, text, isPart: isPart)
        }
        // The line ending after a chunk is not part of it.
        state = .chunkSize
        let count = min(left, text.count)
        if bytes.count == left, !isPart { state = .chunk(left: 0) }
        return add(Array(bytes.prefix(left)), Array(text.prefix(count)), isPart: false)
    }

    /// Adds a piece of the body; returns its rows, or nil if the line is shown as it is.
    private mutating func add(_ bytes: [UInt8], _ text: [UInt8], isPart: Bool) -> [ViewRow]? {
        bodySize += bytes.count
        guard isText else { return [] }
        guard isJSON, body.count + bytes.count <= Self.longest else {
            if isPart { return nil }
            let held = body
            body = []
            return text.isEmpty && held.isEmpty && bytes.isEmpty
                ? [] : held.isEmpty ? [ViewRow(text)] : [ViewRow(held), ViewRow(text)]
        }
        body += bytes
        return []
    }

    private mutating func endBody() -> [ViewRow] {
        defer { (body, bodySize) = ([], 0) }
        if !isText {
            let kind = [fields["content-encoding"], fields["content-type"]].compactMap { $0 }.joined(separator: " ")
            return [ViewRow("(\(bodySize) bytes, \(kind))", style: ViewStyle.aside)]
        }
        guard !body.isEmpty else { return [] }
        let rows = hidesSecret(body) ? nil : JSONLayout.rows(of: body)
        return rows ?? SourceText.lines(of: body).map { ViewRow($0.last == 0x0D ? $0.dropLast() : $0[...]) }
    }

    mutating func finish() -> [ViewRow] {
        let rest = joiner.takeRest()
        guard case .start = state else {
            let rows = endBody()
            state = .start
            return rows + (rest.isEmpty ? [] : [ViewRow(rest)])
        }
        return rest.isEmpty ? [] : [ViewRow(rest)]
    }
}
