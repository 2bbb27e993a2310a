import CTelnet
import DequeModule
import Sockets

/// Telnet (RFC 854) by libtelnet: gives and takes data only, and answers options by itself.
///
/// WILL ECHO and WILL SGA are answered DO; DO TTYPE, NAWS, BINARY and SGA are answered WILL; everything else is
/// refused. Outside of BINARY a carriage return that no line feed follows is sent as CR NUL and received so.
package final class TelnetLayer: Layer {
    package let state = LayerState()
    package let endsBase = true
    /// What the peer does, and what we do, by option.
    private var theirs: [UInt8] = []
    private var ours: [UInt8] = []
    private let options: UnsafeMutableBufferPointer<telnet_telopt_t>
    private var telnet: OpaquePointer?
    /// Whether the last byte received, and the last one sent, was a carriage return outside of BINARY.
    private var receivedReturn = false
    private var sentReturn = false
    private var hasWarned = false
    private let terminal: String
    private var size: (columns: UInt16, rows: UInt16)

    private static let agreed: [(option: UInt8, us: Int32, him: Int32)] = [
        (UInt8(TELNET_TELOPT_ECHO), TELNET_WONT, TELNET_DO), (UInt8(TELNET_TELOPT_SGA), TELNET_WILL, TELNET_DO),
        (UInt8(TELNET_TELOPT_TTYPE), TELNET_WILL, TELNET_DONT), (UInt8(TELNET_TELOPT_NAWS), TELNET_WILL, TELNET_DONT),
        (UInt8(TELNET_TELOPT_BINARY), TELNET_WILL, TELNET_DONT),
    ]

    /// - Parameters:
    ///   - terminal: the answer to TTYPE (RFC 1091).
    ///   - columns: the answer to NAWS (RFC 1073), with `rows`.
    package init(terminal: String = "xterm", columns: UInt16 = 80, rows: UInt16 = 24) {
        self.terminal = terminal
        size = (columns, rows)
        options = .allocate(capacity: Self.agreed.count + 1)
        for (index, row) in Self.agreed.enumerated() {
            options.initializeElement(
                at: index,
                to: telnet_telopt_t(telopt: Int16(row.option), us: UInt8(row.us), him: UInt8(row.him)))
        }
        options.initializeElement(at: Self.agreed.count, to: telnet_telopt_t(telopt: -1, us: 0, him: 0))
        let handler: telnet_event_handler_t = { _, event, context in
            guard let event, let context else { return }
            Unmanaged<TelnetLayer>.fromOpaque(context).takeUnretainedValue().handle(event)
        }
        telnet = telnet_init(options.baseAddress, handler, 0, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        telnet_free(telnet)
        options.deallocate()
    }

    package func kind(over base: TransportKind) -> TransportKind { .telnet }

    package var facts: [(String, String)] {
        func list(_ options: [UInt8]) -> String {
            options.isEmpty ? "nothing" : options.map(TelnetCommand.name(ofOption:)).joined(separator: ", ")
        }
        return [("telnet", "the peer does \(list(theirs)); we do \(list(ours))")]
    }

    /// Whether our bytes are sent as they are.
    var isBinary: Bool { ours.contains(UInt8(TELNET_TELOPT_BINARY)) }
    /// Whether the peer says that it echoes while lines are sent whole, which is how it hides a password. With SGA it
    /// echoes each key.
    var hidesTyping: Bool {
        theirs.contains(UInt8(TELNET_TELOPT_ECHO)) && !theirs.contains(UInt8(TELNET_TELOPT_SGA))
    }

    package func receive(_ bytes: UnsafeRawBufferPointer) {
        guard state.end == nil else { return }
        telnet_recv(telnet, bytes.assumingMemoryBound(to: CChar.self).baseAddress, bytes.count)
    }

    package func receiveEnd() {
        if state.end == nil { state.end = .ended }
    }

    package func send(_ data: UnsafeRawBufferPointer, as kind: MessageKind?) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(data.count)
        for byte in data {
            if sentReturn, byte != UInt8(ascii: "\n") { bytes.append(0) }
            sentReturn = byte == UInt8(ascii: "\r") && !isBinary
            bytes.append(byte)
        }
        // Nothing has to come after it, so its NUL cannot wait.
        if sentReturn, bytes.last == UInt8(ascii: "\r") {
            bytes.append(0)
            sentReturn = false
        }
        bytes.withUnsafeBytes { buffer in
            telnet_send(telnet, buffer.assumingMemoryBound(to: CChar.self).baseAddress, buffer.count)
        }
    }

    package func sendEnd() {}

    package func send(_ control: LayerControl) -> String? {
        guard case .telnet(let command) = control else { return "telnet has no such messages; write --telnet COMMAND" }
        switch command.option {
        case let option?:
            telnet_negotiate(telnet, command.code, option)
            note(command.code, option)
        case nil: telnet_iac(telnet, command.code)
        }
        return nil
    }

    /// Notes what we have said that we do or do not do.
    private func note(_ code: UInt8, _ option: UInt8) {
        switch Int32(code) {
        case TELNET_WILL: change(&ours, option, true)
        case TELNET_WONT: change(&ours, option, false)
        default: break
        }
    }

    private func change(_ list: inout [UInt8], _ option: UInt8, _ isOn: Bool) {
        list.removeAll { $0 == option }
        if isOn { list.append(option) }
    }

    private func handle(_ event: UnsafeMutablePointer<telnet_event_t>) {
        switch event.pointee.type {
        case TELNET_EV_DATA:
            take(UnsafeRawBufferPointer(start: event.pointee.data.buffer, count: event.pointee.data.size))
        case TELNET_EV_SEND:
            state.append(
                outgoing: UnsafeRawBufferPointer(start: event.pointee.data.buffer, count: event.pointee.data.size))
        case TELNET_EV_WILL: change(&theirs, event.pointee.neg.telopt, Self.accepts(event.pointee.neg.telopt, \.him))
        case TELNET_EV_WONT: change(&theirs, event.pointee.neg.telopt, false)
        case TELNET_EV_DO:
            let option = event.pointee.neg.telopt
            change(&ours, option, ours.contains(option) || Self.accepts(option, \.us))
            if option == UInt8(TELNET_TELOPT_NAWS) { sendSize() }
        case TELNET_EV_DONT: change(&ours, event.pointee.neg.telopt, false)
        case TELNET_EV_TTYPE where event.pointee.ttype.cmd == UInt8(TELNET_TTYPE_SEND):
            telnet_ttype_is(telnet, terminal)
        case TELNET_EV_COMPRESS: fail("the peer compresses without having been asked to")
        case TELNET_EV_WARNING: warn(event.pointee.error.msg)
        case TELNET_EV_ERROR: fail("the peer breaks the telnet protocol")
        default: break
        }
    }

    private static func accepts(
        _ option: UInt8, _ side: KeyPath<(option: UInt8, us: Int32, him: Int32), Int32>
    ) -> Bool {
        agreed.contains { $0.option == option && ($0[keyPath: side] == TELNET_WILL || $0[keyPath: side] == TELNET_DO) }
    }

    /// Sets the answer to NAWS, and sends it if that was agreed on.
    func setSize(rows: Int, columns: Int) {
        size = (UInt16(clamping: columns), UInt16(clamping: rows))
        if ours.contains(UInt8(TELNET_TELOPT_NAWS)) { sendSize() }
    }

    private func sendSize() {
        let bytes = [size.columns, size.rows].flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
        bytes.withUnsafeBytes { buffer in
            telnet_subnegotiation(
                telnet, UInt8(TELNET_TELOPT_NAWS), buffer.assumingMemoryBound(to: CChar.self).baseAddress,
                buffer.count)
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        guard state.end == nil, !bytes.isEmpty else { return }
        var data: [UInt8] = []
        data.reserveCapacity(bytes.count)
        for byte in bytes {
            if receivedReturn, byte == 0 {
                receivedReturn = false
                continue
            }
            receivedReturn = byte == UInt8(ascii: "\r")
            data.append(byte)
        }
        if !data.isEmpty { state.received.append(data) }
    }

    /// Notes the first violation of the protocol after which the data can still be read.
    private func warn(_ message: UnsafePointer<CChar>?) {
        guard !hasWarned else { return }
        hasWarned = true
        state.notes.append(
            "the peer breaks the telnet protocol" + (message.map { ": \(String(cString: $0))" } ?? ""))
    }

    private func fail(_ problem: String) {
        if state.end == nil { state.end = .failed(.other(problem)) }
    }
}
