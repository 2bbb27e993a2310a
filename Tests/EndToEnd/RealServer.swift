import Foundation
import TestSupport

/// A Debian server, started for a test on ports that were free a moment ago, and ended with the test.
final class RealServer {
    let process = ChildProgram()
    let port: Int
    private let folder: Program.Folder

    /// The available servers.
    enum Kind: String {
        case redis, memcached, nginx, nginxTLS, ngircd, smtp, smtpTLS, dnsmasq, mosquitto, postgres

        var program: String {
            switch self {
            case .redis: "/usr/bin/redis-server"
            case .memcached: "/usr/bin/memcached"
            case .nginx, .nginxTLS: "/usr/sbin/nginx"
            case .ngircd: "/usr/sbin/ngircd"
            case .smtp, .smtpTLS: "/usr/bin/python3"
            case .dnsmasq: "/usr/sbin/dnsmasq"
            case .mosquitto: "/usr/sbin/mosquitto"
            case .postgres: "/usr/lib/postgresql"
            }
        }

        /// Whether muxsh starts it and ends it. dnsmasq and PostgreSQL close all inherited descriptors: Foundation takes
        /// that for their end, and then waits for it forever.
        var isSupervised: Bool { self == .dnsmasq || self == .postgres }
    }

    /// Whether all of these are installed; scripts/setup installs them where apt is available.
    static func areInstalled(_ kinds: [Kind]) -> Bool {
        kinds.allSatisfy { FileManager.default.isExecutableFile(atPath: $0.program) }
    }

    /// Starts a server. `backend` is the port to which an nginx forwards requests, if any.
    init(_ kind: Kind, backend: Int? = nil) throws {
        folder = try Program.Folder()
        port = Self.freePort()
        process.path = kind.isSupervised ? Program.path("muxsh") : kind.program
        process.folder = folder.url.path
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
            case .dnsmasq:
                Self.supervised([
                    kind.program, "-k", "-C", "/dev/null", "--no-hosts", "--no-resolv", "--port=\(port)",
                    "--bind-interfaces",
                    "--listen-address=127.0.0.1", "--address=/fruit.test/192.0.2.7", "--local=/test/", "--pid-file=",
                ])
            case .mosquitto: ["-p", "\(port)"]
            case .postgres: Self.supervised(["sh", try write("postgres.sh", Self.postgres(port)), folder.url.path])
            }
        try process.run()
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

    /// The password of the user `fruit` of the PostgreSQL server.
    static let password = "apple-pie"

    /// The arguments of a muxsh that runs a program, and takes it along when it is killed.
    private static func supervised(_ command: [String]) -> [String] {
        ["-q", "-c", "spawn server -- \(command.joined(separator: " "))\nwait server within 10m"]
    }

    /// A shell script that makes a database in the folder $1 and becomes its server, never as root.
    private static func postgres(_ port: Int) -> String {
        """
        bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
        mkdir "$1/db"
        echo \(password) > "$1/db/password"
        as=
        if [ "$(id -u)" = 0 ]; then
            chmod 755 "$1"
            chown -R postgres "$1/db"
            as="setpriv --reuid postgres --regid postgres --clear-groups"
        fi
        $as $bin/initdb -D "$1/db/data" -U fruit --pwfile="$1/db/password" -A scram-sha-256 --no-sync
        exec $as $bin/postgres -D "$1/db/data" -p \(port) -k "$1/db" -h 127.0.0.1 -c fsync=off
        """
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
