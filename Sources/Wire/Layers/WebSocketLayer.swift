import CWslay
import DequeModule
import Reactor
import Sockets

/// WebSocket (RFC 6455) by libwslay: messages of any length, in any number of frames; pings are answered.
package final class WebSocketLayer: Layer {
    package let state = LayerState()
    package let endsBase = false
    private let wslay: c_wslay
    private let isServer: Bool
    private var limit: Int
    private let upgrade: WebSocketUpgrade.Outcome
    private var context: wslay_event_context_ptr?
    /// The bytes that are being received.
    private var incoming: UnsafeRawBufferPointer?
    private var joiner = ControlFrameJoiner()
    private var pingCount = 0
    /// Whether the reason of the peer's close frame is not UTF-8, and the length of what libwslay answers then.
    private var hasBadReason = false
    private var echoedCount = 0

    /// libwslay; nil if it is not installed.
    nonisolated private static let library: c_wslay? = {
        var table = c_wslay()
        return c_wslay_load(&table) == 1 ? table : nil
    }()

    /// Why WebSocket is not available; nil if it is.
    static var problem: HandshakeError? {
        library == nil
            ? HandshakeError(
                message: "WebSocket needs libwslay.so.1, which is not installed",
                hint: "install it: apt install libwslay1", isRefusal: true)
            : nil
    }

    /// - Parameters:
    ///   - upgrade: what the handshake has agreed on.
    ///   - limit: the longest message that is received, in bytes.
    /// - Throws: if libwslay is not installed.
    init(_ upgrade: WebSocketUpgrade.Outcome, isServer: Bool, limit: Int) throws(HandshakeError) {
        guard let library = Self.library else {
            throw Self.problem ?? HandshakeError(message: "WebSocket is not available")
        }
        wslay = library
        self.isServer = isServer
        self.limit = limit
        self.upgrade = upgrade
        var callbacks = Self.callbacks
        let create = isServer ? library.server_init : library.client_init
        guard create?(&context, &callbacks, Unmanaged.passUnretained(self).toOpaque()) == 0 else {
            throw HandshakeError(message: "not enough memory for a WebSocket")
        }
        library.set_longest(context, UInt64(limit))
        upgrade.rest.withUnsafeBytes { if !$0.isEmpty { receive($0) } }
    }

    /// A layer without a handshake before it, for tests.
    package convenience init(isServer: Bool, limit: Int) throws(HandshakeError) {
        let head = HTTPHead(startLine: "", fields: [])
        let outcome = WebSocketUpgrade.Outcome(path: "/", chosenProtocol: nil, head: head, rest: [])
        try self.init(outcome, isServer: isServer, limit: limit)
    }

    deinit {
        if let context { wslay.free(context) }
    }

    func setLimit(_ limit: Int) {
        self.limit = limit
        wslay.set_longest(context, UInt64(limit))
    }

    package func kind(over base: TransportKind) -> TransportKind { base == .tls ? .wss : .ws }

    var details: WebSocketDetails {
        WebSocketDetails(path: upgrade.path, chosenProtocol: upgrade.chosenProtocol)
    }

    package var facts: [(String, String)] {
        [("path", upgrade.path), ("protocol", upgrade.chosenProtocol ?? "none"), ("pings received", String(pingCount))]
            + [("handshake", upgrade.head.startLine)] + upgrade.head.fields.map { ("  \($0.name)", $0.value) }
    }

    package func receive(_ bytes: UnsafeRawBufferPointer) {
        for piece in joiner.pieces(adding: bytes) where state.end == nil {
            piece.withUnsafeBytes { receive(piece: $0) }
        }
    }

    private func receive(piece: UnsafeRawBufferPointer) {
        incoming = piece
        let result = wslay.recv(context)
        incoming = nil
        flush()
        guard result != 0 || wslay.read_enabled(context) == 0 else { return }
        if result == WSLAY_ERR_NOMEM.rawValue {
            state.end = .failed(.other("not enough memory for the messages of the peer"))
        } else if result == 0, wslay.close_received(context) != 0, state.closing != nil {
            state.end = .ended
        } else {
            giveReason()
            state.end = .failed(.other(violation))
        }
    }

    /// The code with which we have ended the connection because of a violation.
    private var violationCode: UInt32 {
        if hasBadReason { return WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA.rawValue }
        let code = UInt32(wslay.code_sent(context))
        return code == 0 || code == WSLAY_CODE_NO_STATUS_RCVD.rawValue ? WSLAY_CODE_PROTOCOL_ERROR.rawValue : code
    }

    /// Replaces our close frame by one with the right code, where libwslay has sent none or the peer's.
    private func giveReason() {
        guard violationCode != UInt32(wslay.code_sent(context)) || hasBadReason else { return }
        let code = violationCode
        let payload = [UInt8(code >> 8), UInt8(code & 255)]
        let mask = isServer ? [] : (0..<4).map { _ in UInt8.random(in: 0...255) }
        let masked = isServer ? payload : [payload[0] ^ mask[0], payload[1] ^ mask[1]]
        let head = [0x80 | UInt8(WSLAY_CONNECTION_CLOSE.rawValue), isServer ? 2 : 0x82]
        state.replaceLast((isServer ? 2 : 6) + echoedCount, with: head + mask + masked)
    }

    /// Why we have ended the connection, which the peer learns by the code.
    private var violation: String {
        let code = violationCode
        switch code {
        case WSLAY_CODE_MESSAGE_TOO_BIG.rawValue:
            return "a message is longer than the inbox (limit \(limit) bytes): closed with code \(code)"
        case WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA.rawValue:
            return "the peer sent a text that is not UTF-8: closed with code \(code)"
        default: return "the peer breaks the WebSocket protocol: closed with code \(code)"
        }
    }

    package func receiveEnd() {
        if state.end == nil { state.end = .cut }
    }

    package func send(_ data: UnsafeRawBufferPointer, as kind: MessageKind?) {
        let isText = kind.map { $0 == .text } ?? (String(validating: data, as: UTF8.self) != nil)
        queue(isText ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, data)
    }

    package func sendEnd() {
        _ = wslay.queue_close(context, UInt16(WSLAY_CODE_NORMAL_CLOSURE.rawValue), nil, 0)
        flush()
    }

    package func send(_ control: LayerControl) -> String? {
        switch control {
        case .telnet: return "a WebSocket takes no telnet commands"
        case .ping(let data):
            guard data.count <= Self.longestControl else {
                return "a ping has at most \(Self.longestControl) bytes"
            }
            data.withUnsafeBytes { queue(WSLAY_PING, $0) }
        case .close(let code, let reason):
            guard String(validating: reason, as: UTF8.self) != nil else { return "the reason is not UTF-8" }
            guard reason.count <= Self.longestControl - 2 else {
                return "a reason has at most \(Self.longestControl - 2) bytes"
            }
            _ = wslay.queue_close(context, code, reason, reason.count)
            flush()
        }
        return nil
    }

    /// The longest payload of a control frame (RFC 6455, section 5.5).
    private static let longestControl = 125

    private func queue(_ opcode: wslay_opcode, _ data: UnsafeRawBufferPointer) {
        var message = wslay_event_msg(
            opcode: UInt8(opcode.rawValue), msg: data.assumingMemoryBound(to: UInt8.self).baseAddress,
            msg_length: data.count)
        // Refused once our close frame is queued: nothing may come after it.
        _ = wslay.queue_msg(context, &message)
        flush()
    }

    private func flush() { _ = wslay.send(context) }

    // MARK: Callbacks

    private static func layer(_ context: UnsafeMutableRawPointer?) -> WebSocketLayer? {
        context.map { Unmanaged<WebSocketLayer>.fromOpaque($0).takeUnretainedValue() }
    }

    nonisolated private static var callbacks: wslay_event_callbacks {
        var callbacks = wslay_event_callbacks()
        callbacks.recv_callback = { event, buffer, length, _, context in
            guard let layer = WebSocketLayer.layer(context), let buffer else { return -1 }
            return layer.give(event, UnsafeMutableRawBufferPointer(start: buffer, count: length))
        }
        callbacks.send_callback = { _, bytes, length, _, context in
            WebSocketLayer.layer(context)?.state.append(outgoing: UnsafeRawBufferPointer(start: bytes, count: length))
            return length
        }
        callbacks.genmask_callback = { _, buffer, length, _ in
            for index in 0..<length { buffer?[index] = UInt8.random(in: 0...255) }
            return 0
        }
        callbacks.on_msg_recv_callback = { _, message, context in
            if let message { WebSocketLayer.layer(context)?.take(message.pointee) }
        }
        return callbacks
    }

    private func give(_ event: wslay_event_context_ptr?, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard let bytes = incoming, !bytes.isEmpty else {
            wslay.set_error(event, Int32(WSLAY_ERR_WOULDBLOCK.rawValue))
            return -1
        }
        let count = min(bytes.count, buffer.count)
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        incoming = UnsafeRawBufferPointer(rebasing: bytes[count...])
        return count
    }

    private func take(_ message: wslay_event_on_msg_recv_arg) {
        let bytes = Array(UnsafeRawBufferPointer(start: message.msg, count: message.msg_length))
        switch wslay_opcode(UInt32(message.opcode)) {
        case WSLAY_TEXT_FRAME, WSLAY_BINARY_FRAME: state.received.append(bytes)
        case WSLAY_PING: pingCount += 1
        case WSLAY_PONG: state.notes.append("pong" + (bytes.isEmpty ? "" : " \"\(String(lossless: bytes))\""))
        case WSLAY_CONNECTION_CLOSE:
            // The payload is empty, or begins with the code; libwslay takes a half code for none.
            guard bytes.count != 1 else { return }
            // libwslay checks a reason only where it arrives in one piece.
            hasBadReason = String(validating: bytes.dropFirst(2), as: UTF8.self) == nil
            echoedCount = hasBadReason ? bytes.count : 0
            guard !hasBadReason else { return }
            state.closing = Closing(
                code: message.status_code == 0 ? nil : message.status_code, reason: Array(bytes.dropFirst(2)))
        default: break
        }
    }
}
