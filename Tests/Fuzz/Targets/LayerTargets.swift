import Wire

/// Telnet.
enum TelnetTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        checkLayer(input) { TelnetLayer() }
    }
}

/// WebSocket frames, as server and as client.
enum WebSocketTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        for isServer in [true, false] {
            checkLayer(input) { try? WebSocketLayer(isServer: isServer, limit: 4096) }
        }
    }
}

/// A layer gives the same data, the same end and as many bytes for the peer for any split of a stream, and takes bounded
/// memory.
func checkLayer(_ input: [UInt8], _ make: () -> (any Layer)?) {
    func outcome(pieces: [ArraySlice<UInt8>]) -> (data: [[UInt8]], end: LayerState.End?, answers: Int) {
        guard let layer = make() else { fatalError("the layer's library is not installed") }
        for piece in pieces { Array(piece).withUnsafeBytes { layer.receive($0) } }
        layer.receiveEnd()
        Array("data \r\u{ff}".utf8).withUnsafeBytes { layer.send($0, as: nil) }
        layer.sendEnd()
        let state = layer.state
        let isStream = layer.kind(over: .tcp).medium == .stream
        let data = isStream ? [state.received.flatMap { $0 }] : Array(state.received)
        return (data, state.end, state.outgoingCount)
    }
    let size = Int(input.first ?? 0) % 7 + 1
    let pieces = stride(from: 0, to: input.count, by: size).map { input[$0..<min(input.count, $0 + size)] }
    let (whole, split) = (outcome(pieces: [input[...]]), outcome(pieces: pieces))
    require(whole.data == split.data, "the data depends on the split")
    // What is wrong with an incomplete frame may be found only when it is complete, and of two faults either first.
    let hasCut = whole.end == .cut || split.end == .cut
    require(hasCut || (whole.end == .ended) == (split.end == .ended), "the end depends on the split")
    require(whole.data.reduce(0) { $0 + $1.count } <= input.count, "there is more data than bytes")
    require(whole.answers <= 64 * (input.count + 16), "the answers are out of proportion")
}
