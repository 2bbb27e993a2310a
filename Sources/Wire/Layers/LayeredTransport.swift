import Reactor
import Sockets

/// A transport that speaks a protocol over another transport.
package final class LayeredTransport: Transport {
    private let base: any Transport
    private let layer: any Layer
    private var writeFailure: WireFailure?
    private var isReset = false
    private var hasEnded = false
    /// The bytes of answers to the peer, since all bytes for it were last taken.
    private var answerCount = 0
    private var scratch = [UInt8](repeating: 0, count: 65536)
    package var messageKind: MessageKind?

    /// The bytes of answers that may wait before nothing more is read: a peer may ask and never read.
    private static let mostAnswers = 65536

    /// Takes ownership of `base`, whose handshakes are complete.
    package init(_ layer: any Layer, over base: any Transport) {
        self.layer = layer
        self.base = base
        kind = layer.kind(over: base.kind)
        flush()
    }

    deinit {
        guard !isReset, !hasEnded, writeFailure == nil, layer.state.end == nil else { return }
        layer.sendEnd()
        _ = flush()
    }

    package let kind: TransportKind
    package var details: TLSDetails? { base.details }
    package var descriptor: Int32 { base.descriptor }
    package var outputDescriptor: Int32 { base.outputDescriptor }
    package var needsWriteToRead: Bool { base.needsWriteToRead }
    package var hasBufferedInput: Bool {
        !layer.state.received.isEmpty || layer.state.end != nil || base.hasBufferedInput
    }
    package var roundTripTime: Duration { base.roundTripTime }
    package var unacknowledgedBytes: Int { base.unacknowledgedBytes }
    package func setTerminalSize(rows: Int, columns: Int) {
        (layer as? TelnetLayer)?.setSize(rows: rows, columns: columns)
        flush()
    }

    package func setMessageLimit(_ limit: Int) { (layer as? WebSocketLayer)?.setLimit(limit) }
    package var hidesTyping: Bool { (layer as? TelnetLayer)?.hidesTyping ?? false }
    package var linesEndWithReturn: Bool { (layer as? TelnetLayer)?.isBinary ?? false }
    package var webSocket: WebSocketDetails? { (layer as? WebSocketLayer)?.details }
    package var facts: [(String, String)] { layer.facts }
    package var closing: Closing? { layer.state.closing }
    package var bothSidesEndTogether: Bool { !layer.endsBase }
    package var pendingOutput: Int { layer.state.outgoingCount }
    package var acceptsInput: Bool { answerCount <= Self.mostAnswers }

    package func takeNotes() -> [String] {
        defer { layer.state.notes = [] }
        return layer.state.notes
    }

    package func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome {
        if let outcome = take(into: buffer) { return outcome }
        guard acceptsInput else { return .wouldBlock }
        let room = kind.medium.keepsMessages ? scratch.count : min(scratch.count, buffer.count)
        let outcome = scratch.withUnsafeMutableBytes { bytes in
            base.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<room]))
        }
        let waiting = layer.state.outgoingCount
        switch outcome {
        case .bytes(let count):
            scratch.withUnsafeBytes { layer.receive(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        case .endOfStream, .cut: layer.receiveEnd()
        case .wouldBlock, .refused, .failed, .needsRoom: return outcome
        }
        answerCount += layer.state.outgoingCount - waiting
        _ = flush()
        return take(into: buffer) ?? .wouldBlock
    }

    /// Returns received data, or how it has ended; nil if there is neither.
    private func take(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome? {
        let state = layer.state
        guard let piece = state.received.first else {
            return state.end.map { end in
                switch end {
                case .ended: .endOfStream
                case .cut: .cut
                case .failed(let failure): .failed(failure)
                }
            }
        }
        guard piece.count <= buffer.count else { return .needsRoom(piece.count) }
        state.received.removeFirst()
        buffer.copyBytes(from: piece)
        return .bytes(piece.count)
    }

    /// Encodes all of `bytes` unless earlier bytes wait for the kernel.
    package func write(_ bytes: UnsafeRawBufferPointer) -> WriteOutcome {
        if let failure = flush() { return .failed(failure) }
        guard pendingOutput == 0 else { return .wouldBlock }
        layer.send(bytes, as: messageKind)
        messageKind = nil
        if let failure = flush() { return .failed(failure) }
        return .wrote(bytes.count)
    }

    package func endOutput() -> EndOutcome {
        if !hasEnded { layer.sendEnd() }
        hasEnded = true
        if let failure = flush() { return .failed(failure) }
        guard pendingOutput == 0 else { return .wouldBlock }
        return layer.endsBase ? base.endOutput() : .ended
    }

    package func control(_ control: LayerControl) -> String? {
        if let problem = layer.send(control) { return problem }
        if case .close = control { hasEnded = true }
        _ = flush()
        return nil
    }

    package func resetOnClose() {
        isReset = true
        base.resetOnClose()
    }

    @discardableResult
    package func flush() -> WireFailure? {
        while writeFailure == nil, pendingOutput > 0 {
            var isBlocked = false
            layer.state.take { bytes in
                switch base.write(bytes) {
                case .wrote(let count): return count
                case .wouldBlock: isBlocked = true
                case .failed(let failure): writeFailure = failure
                }
                return 0
            }
            if isBlocked { break }
        }
        if pendingOutput == 0 { answerCount = 0 }
        return writeFailure
    }
}
