import Glibc
import Reactor

/// A socket address in the kernel's format: IPv4, IPv6 or Unix (ip(7), ipv6(7), unix(7)).
package struct SocketAddress {
    private var storage = sockaddr_storage()
    package private(set) var length: socklen_t

    /// Copies a sockaddr of `length` bytes.
    package init(copying address: UnsafePointer<sockaddr>, length: socklen_t) {
        self.length = min(length, socklen_t(MemoryLayout<sockaddr_storage>.size))
        withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.copyMemory(from: UnsafeRawBufferPointer(start: address, count: Int(self.length)))
        }
    }

    /// Creates a Unix address; `name` begins with NUL for the abstract namespace. At most 107 bytes.
    private init(unixName name: [UInt8]) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name.prefix(capacity)) }
        let isAbstract = name.first == 0
        let offset = MemoryLayout<sockaddr_un>.size - capacity
        length = socklen_t(offset + min(name.count + (isAbstract ? 0 : 1), capacity))
        withUnsafeMutableBytes(of: &storage) { bytes in
            withUnsafeBytes(of: &address) { bytes.copyMemory(from: $0) }
        }
    }

    /// The address that a socket is bound to.
    package init(of socket: Int32) {
        self = Self.filled { getsockname(socket, $0, $1) }.address
    }

    /// The address that a socket is connected to.
    package init(peerOf socket: Int32) {
        self = Self.filled { getpeername(socket, $0, $1) }.address
    }

    package static func unix(path: SystemString) -> SocketAddress {
        SocketAddress(unixName: path.bytes)
    }

    package static func abstract(name: [UInt8]) -> SocketAddress {
        SocketAddress(unixName: [0] + name)
    }

    /// The address family, such as `AF_INET6`.
    package var family: Int32 { Int32(storage.ss_family) }

    /// The port, or nil for a Unix address.
    package var port: UInt16? {
        switch family {
        case AF_INET: withRebound(to: sockaddr_in.self) { UInt16(bigEndian: $0.sin_port) }
        case AF_INET6: withRebound(to: sockaddr_in6.self) { UInt16(bigEndian: $0.sin6_port) }
        default: nil
        }
    }

    /// The bytes of an IP address; nil for a Unix address.
    package var rawHost: [UInt8]? {
        switch family {
        case AF_INET: withRebound(to: sockaddr_in.self) { withUnsafeBytes(of: $0.sin_addr) { Array($0) } }
        case AF_INET6: withRebound(to: sockaddr_in6.self) { withUnsafeBytes(of: $0.sin6_addr) { Array($0) } }
        default: nil
        }
    }

    /// `127.0.0.1:80`, `[::1]:80`, `unix:/path`, `unix:@name` (both keep all bytes) or `unix:(unnamed)`.
    package var description: String {
        switch family {
        case AF_INET, AF_INET6:
            family == AF_INET6 ? "[\(numericHost)]:\(port ?? 0)" : "\(numericHost):\(port ?? 0)"
        default: unixName.isEmpty ? "unix:(unnamed)" : "unix:" + unixName
        }
    }

    /// Why a link-local address is incomplete without an interface, and the interfaces it could be for; nil for any
    /// other address (ipv6(7), sin6_scope_id).
    package var interfaceHint: String? {
        guard family == AF_INET6 else { return nil }
        let (first, second, scope) = withRebound(to: sockaddr_in6.self) { address in
            withUnsafeBytes(of: address.sin6_addr) { ($0[0], $0[1], address.sin6_scope_id) }
        }
        guard first == 0xFE, second & 0xC0 == 0x80, scope == 0 else { return nil }
        let names = Self.interfaceNames
        let examples = (names.isEmpty ? ["eth0"] : names).prefix(4).map { "[\(numericHost)%\($0)]" }
        return "a link-local address needs its interface; write \(examples.joined(separator: " or "))"
    }

    /// The interfaces of this machine that reach other machines (if_nameindex(3)).
    private static var interfaceNames: [String] {
        guard let list = if_nameindex() else { return [] }
        defer { if_freenameindex(list) }
        var names: [String] = []
        var entry = list
        while entry.pointee.if_index != 0, let name = entry.pointee.if_name {
            names.append(SystemString(copying: name).description)
            entry += 1
        }
        return names.filter { $0 != "lo" }
    }

    /// Calls `body` with the address in the form that system calls take.
    package func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        // The storage is large enough and aligned for any socket address.
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    /// Returns the result of `call` (getsockname, getpeername, accept) and the address it filled in, empty on failure.
    package static func filled(by call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32)
        -> (result: Int32, address: SocketAddress)
    {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, &length) }
        }
        let address = withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                SocketAddress(copying: $0, length: result < 0 ? 0 : length)
            }
        }
        return (result, address)
    }

    package var numericHost: String {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let failure = withPointer { address, length in
            getnameinfo(address, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
        }
        guard failure == 0 else { return "?" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private var unixName: String {
        withRebound(to: sockaddr_un.self) { address in
            let offset = MemoryLayout<sockaddr_un>.size - MemoryLayout.size(ofValue: address.sun_path)
            var name = withUnsafeBytes(of: address.sun_path) { Array($0.prefix(max(0, Int(length) - offset))) }
            let isAbstract = name.first == 0
            if isAbstract { name.removeFirst() } else { name = Array(name.prefix { $0 != 0 }) }
            return (isAbstract && !name.isEmpty ? "@" : "") + String(lossless: name)
        }
    }

    private func withRebound<Layout, Result>(to layout: Layout.Type, _ body: (Layout) -> Result) -> Result {
        withUnsafeBytes(of: storage) { body($0.loadUnaligned(as: layout)) }
    }
}
