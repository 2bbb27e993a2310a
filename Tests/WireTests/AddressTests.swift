import Sockets
import Testing

@testable import Wire

struct AddressTests {
    @Test(arguments: [
        ("localhost:8080", Address.tcp(host: "localhost", service: "8080")),
        (":80", .tcp(host: "localhost", service: "80")),
        ("ws://host/a/b?c=d", .network(.ws, host: "host", service: "80", path: "/a/b?c=d")),
        ("wss://:8443", .network(.wss, host: "localhost", service: "8443")),
        ("telnet://[::1]", .network(.telnet, host: "::1", service: "23")),
        ("telnet://router", .network(.telnet, host: "router", service: "23")),
        ("[::1]:6379", .tcp(host: "::1", service: "6379")),
        ("tcp://example.org:http", .tcp(host: "example.org", service: "http")),
        ("unix:/run/x.sock", .unix(path: "/run/x.sock")),
        ("unix:@name", .abstract(name: Array("name".utf8))),
    ])
    func readsAnAddress(text: String, address: Address) throws {
        #expect(try Address(parsing: text) == address)
    }

    @Test(arguments: [
        ("localhost", "'localhost' has no port; write host:port, such as localhost:8080"),
        ("localhost:", "'localhost:' has no port; write host:port, such as localhost:8080"),
        ("h:70000", "port 70000 is out of range; ports are 0 to 65535"),
        ("udp::80", "'udp::80' needs slashes; write udp://:80"),
        ("tls:a:443", "'tls:a:443' needs slashes; write tls://a:443"),
        ("::1:80", "'::1:80' is an IPv6 address without brackets; write [::1]:8080"),
        ("[::1:80", "'[::1:80' has a '[' without ']'; write [::1]:8080"),
        ("[::1]80", "'[::1]80' has no port; write host:port, such as localhost:8080"),
        ("ws://x:1?q", "'?q' is not a path; write ws://host:port/?q"),
        ("ws://u:p@x:1/", "an address has no user name; send it with --header or after connecting"),
        ("ws://x:1/a#b", "'/a#b' is not a path; write ws://host:port/path, without '#'"),
        ("ws:x:1", "'ws:x:1' needs slashes; write ws://x:1"),
        (
            "ftp://x:1",
            "unknown address scheme 'ftp://'; use host:port, unix:/path, or one of tls://, udp://, ws://, wss:// and telnet://"
        ),
        ("unix:", "a unix: address needs a path; write unix:/run/server.sock or unix:@name"),
        ("unix:/" + String(repeating: "x", count: 107), "the path of a Unix socket is too long: 108 bytes (limit 107)"),
    ])
    func saysWhatIsWrong(text: String, message: String) {
        #expect { try Address(parsing: text) } throws: { ($0 as? AddressError)?.message == message }
    }

    @Test(arguments: [
        "localhost:8080", "[::1]:6379", "unix:/run/x.sock", "unix:@name", "wss://[::1]:443/x?y", "telnet://h:23",
    ])
    func isDescribedAsItIsRead(text: String) throws {
        #expect(try Address(parsing: text).description == text)
    }
}
