import Wire

/// A PROXY header ends within its longest length.
enum ProxyTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        var parser = ProxyHeader.Parser()
        for byte in input + [UInt8](repeating: input.last ?? 0, count: 70_000) {
            guard case .more = parser.feed(byte) else { return }
        }
        fatalError("a PROXY header has no end")
    }
}
