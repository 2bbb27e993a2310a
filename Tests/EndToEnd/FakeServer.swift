import Foundation
import Script

/// A peer that performs a list of steps on its single connection, in a separate thread:
///
///     line            read through a newline
///     read N          read N bytes
///     rest            read to the end of the stream
///     send TEXT       send, with the escapes of arrow lines
///     bytes N         send N bytes of the letter x
///     flood           send as much as is accepted, until the other side has closed
///     delay MS        pause: the test is about a slow peer
///     end             half-close the connection, and continue
///     reset           reset the connection
///     hold            keep the connection until the other side has closed
final class FakeServer: @unchecked Sendable {
    let port: Int
    private let listener: Int32
    private let steps: [String]

    init(_ text: String) throws {
        steps = text.split(separator: "\n").map(String.init).filter { !$0.isEmpty }
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = self.listener
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(listener, $0, length)
                _ = getsockname(listener, $0, &length)
            }
        }
        listen(listener, 8)
        port = Int(UInt16(bigEndian: address.sin_port))
        let thread = Thread { self.serve() }
        thread.start()
    }

    private func serve() {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return }
        for step in steps { perform(step, client) }
        close(client)
    }

    /// Ends the wait for a connection that never came.
    func end() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private func perform(_ step: String, _ client: Int32) {
        let parts = step.split(separator: " ", maxSplits: 1).map(String.init)
        let argument = parts.count > 1 ? parts[1] : ""
        var byte: UInt8 = 0
        switch parts[0] {
        case "line": while recv(client, &byte, 1, 0) == 1, byte != 10 {}
        case "read": for _ in 0..<(Int(argument) ?? 0) { recv(client, &byte, 1, 0) }
        case "rest", "hold":
            var chunk = [UInt8](repeating: 0, count: 65536)
            while recv(client, &chunk, chunk.count, 0) > 0 {}
        case "send": say(Self.unescaped(argument), client)
        case "bytes": say([UInt8](repeating: UInt8(ascii: "x"), count: Int(argument) ?? 0), client)
        case "flood":
            let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: 65536)
            while send(client, chunk, chunk.count, Int32(MSG_NOSIGNAL)) > 0 {}
        case "delay": Thread.sleep(forTimeInterval: (Double(argument) ?? 0) / 1000)
        case "end": shutdown(client, Int32(SHUT_WR))
        case "reset":
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(client, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        default: preconditionFailure("unknown step '\(step)'")
        }
    }

    private func say(_ bytes: [UInt8], _ client: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    private static func unescaped(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "\\"), let decoded = try? Escapes.decode(bytes, at: &index) else {
                result.append(bytes[index])
                index += 1
                continue
            }
            result += decoded
        }
        return result
    }
}
