import Glibc
import Reactor
import TestSupport

@testable import Wire

/// A connection whose records are changed on their way: only whole data from the beginning arrives, an end that was cut
/// is never a clean one, and a handshake ends in a connection or with words.
enum TLSTarget: FuzzTarget {
    // There is only one thread.
    nonisolated(unsafe) private static let contexts: (client: TLSContext, server: TLSContext) = {
        var (client, server) = (TLSOptions(), TLSOptions())
        client.authorities = Certificates.path("ca.pem")
        server.certificate = Certificates.path("server.pem")
        server.key = Certificates.path("server.key")
        do {
            return (try TLSContext(.client, client), try TLSContext(.server, server))
        } catch {
            fatalError("no certificates: \(error)")
        }
    }()

    static func run(_ input: [UInt8]) {
        var choices = Choices(input[...])
        let line = Line(choices.byte())
        line.changes = (0..<choices.number(below: 4)).map { _ in
            (Int(choices.byte()) << 4 | Int(choices.byte()) & 15, choices.byte(), choices.byte())
        }
        line.start()
        for _ in 0..<200 where line.results.contains(where: { $0 == nil }) { line.turn() }
        guard case .success(let server)?? = line.results.last as Result<TLSTransport, HandshakeError>??,
            case .success(let client)?? = line.results.first as Result<TLSTransport, HandshakeError>??
        else {
            for case .failure(let error)? in line.results { require(!error.message.isEmpty, "no words") }
            return
        }
        let sent = choices.bytes(100) + [UInt8](repeating: 7, count: 20_000)
        _ = sent.withUnsafeBytes { server.write($0) }
        _ = server.endOutput()
        _ = server.flush()
        var received: [UInt8] = []
        var end = ""
        for _ in 0..<200 where end.isEmpty {
            line.turn()
            end = Self.read(client, into: &received)
        }
        require(sent.starts(with: received), "other data arrives than was sent")
        if end == "end" { require(received == sent, "an end that is not the end of the data is clean") }
    }

    private static func read(_ transport: TLSTransport, into received: inout [UInt8]) -> String {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            switch buffer.withUnsafeMutableBytes({ transport.read(into: $0) }) {
            case .bytes(let count): received += buffer.prefix(count)
            case .wouldBlock, .refused, .needsRoom: return ""
            case .endOfStream: return "end"
            case .cut: return "cut"
            case .failed(let failure):
                require(!failure.message.isEmpty, "no words")
                return "failed"
            }
        }
    }

    /// Two peers over socket pairs, and what is done to the bytes from the server to the client.
    private final class Line {
        let loop = EventLoop()
        let pairs = [SocketPair(), SocketPair()]
        var results: [Result<TLSTransport, HandshakeError>?] = [nil, nil]
        /// Where, what is done (change, remove, insert, cut), and with which byte.
        var changes: [(place: Int, what: UInt8, byte: UInt8)] = []
        private var handshakes: [TLSHandshake] = []
        private let pace: Int
        private var passed = 0
        private var isCut = false

        init(_ pace: UInt8) { self.pace = pace == 0 ? 65536 : Int(pace) * 16 }

        func start() {
            for (index, context) in [contexts.client, contexts.server].enumerated() {
                let socket = SocketTransport(owning: Descriptor(owning: pairs[index].near))
                guard let transport = try? TLSTransport(over: socket, context, host: "localhost") else {
                    fatalError("no memory")
                }
                let handshake = TLSHandshake(transport, on: loop) { [unowned self] in results[index] = $0 }
                handshakes.append(handshake)
                handshake.start()
            }
        }

        func turn() {
            carry(from: 0, to: 1)
            carry(from: 1, to: 0)
            loop.turn(mayBlock: false)
        }

        private func carry(from source: Int, to sink: Int) {
            var buffer = [UInt8](repeating: 0, count: pace)
            let count = recv(pairs[source].far, &buffer, buffer.count, 0)
            guard count > 0, !isCut else { return }
            let data = source == 1 ? changed(Array(buffer.prefix(count))) : Array(buffer.prefix(count))
            pairs[sink].say(data)
            if isCut { pairs[sink].endOutput() }
        }

        private func changed(_ data: [UInt8]) -> [UInt8] {
            var result = data
            for (place, what, byte) in changes where (passed..<(passed + data.count)).contains(place) {
                let index = min(place - passed, max(0, result.count - 1))
                guard result.indices.contains(index) else { continue }
                switch what % 4 {
                case 0: result[index] ^= byte | 1
                case 1: result.remove(at: index)
                case 2: result.insert(byte, at: index)
                default:
                    result = Array(result.prefix(index))
                    isCut = true
                }
            }
            passed += data.count
            return result
        }
    }
}
