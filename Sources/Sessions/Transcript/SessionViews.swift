import Results

/// How displays show the data of each session.
package struct SessionViews {
    /// A form in which displays show data.
    package enum View: String, CaseIterable {
        case text, hex, json, resp, http, colour
    }

    /// The view of sessions without one of their own.
    package var common = View.text {
        didSet {
            own = [:]
            stages = [:]
        }
    }
    private var own: [String: View] = [:]
    private var stages: [String: any LineView] = [:]

    package subscript(name: String) -> View {
        get { own[name] ?? common }
        set {
            own[name] = newValue
            stages[name] = nil
        }
    }

    /// Takes a received line; returns the rows to show, or nil to show it as it is.
    mutating func take(
        _ text: [UInt8], ending: [UInt8], isPart: Bool, of name: String, hidesSecret: @escaping ([UInt8]) -> Bool
    ) -> [ViewRow]? {
        guard var stage = stages[name] ?? Self.stage(self[name], hidesSecret) else { return nil }
        defer { stages[name] = stage }
        return stage.take(text, ending: ending, isPart: isPart)
    }

    /// Returns what the view of a session has held back: nothing more arrives.
    mutating func finish(_ name: String) -> [ViewRow] {
        guard var stage = stages[name] else { return [] }
        defer { stages[name] = stage }
        return stage.finish()
    }

    private static func stage(_ view: View, _ hidesSecret: @escaping ([UInt8]) -> Bool) -> (any LineView)? {
        switch view {
        case .text, .hex: nil
        case .json: JSONView(hidesSecret: hidesSecret)
        case .resp: RESPView()
        case .http: HTTPView(hidesSecret: hidesSecret)
        case .colour: ColorView()
        }
    }
}
