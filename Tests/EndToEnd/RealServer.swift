import Foundation
import TestSupport

/// A Debian server, started for a test on ports that were free a moment ago, and ended with the test.
final class RealServer {
    let process = Process()
    let port: Int
    private let folder: Program.Folder

    /// The available servers.
    enum Kind: String {
        case redis, memcached, nginx, nginxTLS, ngircd, smtp, smtpTLS

        var program: String {
            switch self {
            case .redis: "/usr/bin/redis-server"
            case .memcached: "/usr/bin/memcached"
            case .nginx, .nginxTLS: "/usr/sbin/nginx"
            case .ngircd: "/usr/sbin/ngircd"
            case .smtp, .smtpTLS: "/usr/bin/python3"
            }
        }
    }

    /// Whether all of these are installed; scripts/setup installs them where apt is available.
    static func areInstalled(_ kinds: [Kind]) -> Bool {
        kinds.allSatisfy { FileManager.default.isExecutableFile(atPath: $0.program) }
    }

    /// Starts a server. `backend` is the port to which an nginx forwards requests, if any.
    init(_ kind: Kind, backend: Int? = nil) throws {
        folder = try Program.Folder()
        port = Self.freePort()
        process.executableURL = URL(fileURLWithPath: kind.program)
        process.currentDirectoryURL = folder.url
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.arguments =
            switch kind {
            case .redis:
                [
                    "--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--dir", folder.url.path,
                    "--repl-diskless-sync-delay", "0",
                ]
            case .memcached: ["-u", "nobody", "-l", "127.0.0.1", "-p", "\(port)"]
            case .nginx, .nginxTLS:
                [
                    "-c",
                    try write("nginx.conf", Self.nginx(port, folder.url.path, backend, isTLS: kind == .nginxTLS)),
                    "-e", "stderr",
                ]
            case .ngircd: ["-n", "-f", try write("ngircd.conf", Self.ngircd(port))]
            case .smtp: ["-m", "aiosmtpd", "-n", "-l", "127.0.0.1:\(port)"]
            case .smtpTLS:
                [
                    "-m", "aiosmtpd", "-n", "-l", "127.0.0.1:\(port)", "--tlscert",
                    Certificates.path("server.pem").description,
                    "--tlskey", Certificates.path("server.key").description,
                ]
            }
        try Program.start(process)
    }

    deinit {
        // Not SIGTERM: a child of the tests may have blocked it.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Waits until it accepts connections.
    func untilReady() throws {
        let outcome = try Program.run(
            "muxsh", ["-q", "-c", "open ready localhost:\(port) --retry 20s"], in: Program.Folder())
        guard outcome.status == 0 else { throw NotReady(report: outcome.err) }
    }

    /// The server did not accept a connection.
    struct NotReady: Error {
        let report: String
    }

    /// Returns a port without a listener.
    static func freePort() -> Int {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(socket, $0, length)
                getsockname(socket, $0, &length)
            }
            return Int(UInt16(bigEndian: pointer.pointee.sin_port))
        }
    }

    private func write(_ name: String, _ text: String) throws -> String {
        let url = folder.url.appendingPathComponent(name)
        try text.write(to: url, atomically: true, encoding: .utf8)
        try "<h1>hello</h1>\n".write(
            to: folder.url.appendingPathComponent("index.html"), atomically: true, encoding: .utf8)
        return url.path
    }

    private static func nginx(_ port: Int, _ folder: String, _ backend: Int?, isTLS: Bool) -> String {
        let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        let paths = kinds.map { "\($0)_temp_path \(folder)/\($0);" }.joined(separator: " ")
        let place = backend.map { "location / { proxy_pass http://127.0.0.1:\($0); proxy_set_header Host $host; }" }
        let files =
            "ssl_certificate \(Certificates.path("server.pem")); ssl_certificate_key \(Certificates.path("server.key"))"
        let tls = isTLS ? " ssl; \(files)" : ""
        return """
            \(getuid() == 0 ? "user root;" : "")
            daemon off; master_process off; pid \(folder)/pid; error_log stderr; 
            events { }
            http { access_log off; \(paths) server { listen 127.0.0.1:\(port)\(tls); root \(folder); \(place ?? "") } }
            """
    }

    private static func ngircd(_ port: Int) -> String {
        """
        [Global]
        Name = irc.test.local
        Info = test
        Ports = \(port)
        Listen = 127.0.0.1
        MotdPhrase = hello
        ServerUID = nobody
        ServerGID = nogroup
        [Options]
        DNS = no
        Ident = no
        PAM = no
        """
    }
}
