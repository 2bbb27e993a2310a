/// A row of a view: parts with a style each (ECMA-48 SGR).
struct ViewRow: Equatable {
    struct Part: Equatable {
        let bytes: [UInt8]
        let style: String?
    }

    private(set) var parts: [Part] = []
    /// Whether its line is still arriving.
    var isUnfinished = false

    init() {}

    init(_ text: some Sequence<UInt8>, style: String? = nil) { append(text, style: style) }

    init(_ text: String, style: String? = nil) { append(text.utf8, style: style) }

    /// The number of bytes.
    var count: Int { parts.reduce(0) { $0 + $1.bytes.count } }

    mutating func append(_ text: some Sequence<UInt8>, style: String? = nil) {
        parts.append(Part(bytes: Array(text), style: style))
    }

    mutating func append(_ text: String, style: String? = nil) { append(text.utf8, style: style) }

    mutating func append(_ row: ViewRow) { parts += row.parts }

    /// The row with a text before it.
    func indented(_ text: String) -> ViewRow {
        var row = ViewRow(text)
        row.append(self)
        return row
    }
}

/// The colors of views.
enum ViewStyle {
    static let name = "36"
    static let text = "32"
    static let number = "33"
    static let error = "31"
    static let title = "1"
    static let aside = "2"
}

/// Shows received lines in another form on displays; files and expectations have the lines themselves.
protocol LineView {
    /// Takes a line or a part of one, without its ending; returns what is to be shown now, or nil to show the line as it
    /// is.
    mutating func take(_ text: [UInt8], ending: [UInt8], isPart: Bool) -> [ViewRow]?
    /// Returns what was held back: nothing more arrives.
    mutating func finish() -> [ViewRow]
}

/// Joins the parts of lines.
struct LineJoiner {
    private var pending: [UInt8] = []

    var isEmpty: Bool { pending.isEmpty }

    /// Returns the whole line; nil while parts are missing.
    mutating func join(_ text: [UInt8], isPart: Bool) -> [UInt8]? {
        guard !isPart else {
            pending += text
            return nil
        }
        defer { pending = [] }
        return pending.isEmpty ? text : pending + text
    }

    /// Returns the parts of an unfinished line.
    mutating func takeRest() -> [UInt8] {
        defer { pending = [] }
        return pending
    }
}
