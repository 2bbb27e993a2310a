import Glibc
import Reactor
import Sockets
import Testing
import TestSupport

@testable import Wire

struct ConnectingTests {
    private let loop = EventLoop()

    private func resolve(_ text: String) throws -> Resolver.Answer {
        var answer: Resolver.Answer?
        let resolver = Resolver.resolve(try Address(parsing: text), on: loop) { answer = $0 }
        while answer == nil { loop.turn() }
        _ = resolver
        return try #require(answer)
    }

    private func connect(_ addresses: [SocketAddress]) -> Result<Connection, ConnectFailure> {
        var result: Result<Connection, ConnectFailure>?
        let connector = Connector(addresses: addresses, localAddress: nil, on: loop) { result = $0 }
        connector.start()
        while true {
            if let result { return result }
            loop.turn()
        }
    }

    /// Returns an address without a listener: a port that was just released.
    private func refusingAddress() throws -> SocketAddress {
        let listener = try Listener(at: Address(parsing: "127.0.0.1:0"), on: loop)
        listener.close()
        return listener.address
    }

    @Test(arguments: [
        ("127.0.0.1:80", ["127.0.0.1:80"]), ("[::1]:80", ["[::1]:80"]), ("localhost:80", ["[::1]:80", "127.0.0.1:80"]),
        ("localhost:http", ["[::1]:80", "127.0.0.1:80"]), ("unix:/a/b", ["unix:/a/b"]), ("unix:@n", ["unix:@n"]),
    ])
    func literalsAndLocalhostAreResolvedInPlace(text: String, addresses: [String]) throws {
        #expect(try resolve(text).get().map(\.description) == addresses)
    }

    @Test func anUnknownServiceIsAnErrorInWords() throws {
        guard case .failure(let error) = try resolve("localhost:no-such-service") else {
            Issue.record("it was resolved")
            return
        }
        #expect(error.message == "unknown service 'no-such-service'; write a port number")
    }

    @Test func theNextAddressIsTriedWhenOneRefuses() throws {
        let listener = try Listener(at: Address(parsing: "127.0.0.1:0"), on: loop)
        let connection = try connect([refusingAddress(), listener.address]).get()
        #expect(connection.address.description == listener.address.description)
        listener.close()
    }

    @Test func theNextAddressIsTriedWhenOneDoesNotAnswer() throws {
        // A full queue of length one: the kernel answers no further connection attempts.
        let silent = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(silent) }
        listen(silent, 0)
        let (_, address) = SocketAddress.filled { getsockname(silent, $0, $1) }
        let clients = (0..<2).map { _ in socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0) }
        defer { for client in clients { close(client) } }
        for client in clients { _ = address.withPointer { Glibc.connect(client, $0, $1) } }
        let live = try Listener(at: try Address(parsing: "127.0.0.1:0"), on: loop)
        defer { live.close() }
        let connection = try connect([address, live.address]).get()
        #expect(connection.address.description == live.address.description)
    }

    @Test func whenAllRefuseEachIsNamed() throws {
        let refusing = try [refusingAddress(), refusingAddress()]
        guard case .failure(let failure) = connect(refusing) else {
            Issue.record("it connected")
            return
        }
        #expect(
            failure.message(for: "somewhere")
                == "connection refused (\(refusing[0].description)), connection refused (\(refusing[1].description))")
    }

    @Test func unixSocketsConnectAndTheFileGoesWithItsListener() throws {
        let path = try #require(
            SystemString("/tmp/muxsh-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).sock".utf8))
        let listener = try Listener(at: .unix(path: path), on: loop)
        #expect(path.withCString { access($0, F_OK) } == 0)
        _ = try connect([.unix(path: path)]).get()
        listener.close()
        #expect(path.withCString { access($0, F_OK) } != 0)
    }

    @Test func aSocketFileThatIsLeftOverIsReplacedAndALiveOneIsNot() throws {
        let path = try #require(
            SystemString("/tmp/muxsh-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).sock".utf8))
        let stale = socket(AF_UNIX, 1, 0)
        _ = SocketAddress.unix(path: path).withPointer { bind(stale, $0, $1) }
        close(stale)
        let listener = try Listener(at: .unix(path: path), on: loop)
        #expect {
            try Listener(at: .unix(path: path), on: loop)
        } throws: {
            ($0 as? ListenError)?.message == "cannot listen on unix:\(path): address already in use"
        }
        listener.close()
    }

    @Test func aListenerNeedsAnAddressNotAName() {
        #expect {
            try Listener(at: .tcp(host: "example.org", service: "0"), on: loop)
        } throws: {
            ($0 as? ListenError)?.message
                == "cannot listen on example.org:0: the host must be an IP address, such as 127.0.0.1"
        }
    }
}
