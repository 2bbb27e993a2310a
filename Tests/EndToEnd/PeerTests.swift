import Foundation
import TestSupport
import Testing

/// The scripts of Peers/, against Debian programs that they start themselves or that the test starts for them.
@Suite(.enabled(if: Certificates.folder != nil))
struct PeerTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Peers")

    private func run(_ script: String, _ options: [String] = []) throws -> Program.Outcome {
        let variables = ["-D", "certs=\(Certificates.folder?.path ?? "")", "-D", "muxsh=\(Program.path("muxsh"))"]
        return try Program.run(
            "muxsh",
            ["--timeout-scale", "4"] + variables + options + [Self.folder.appendingPathComponent(script).path],
            in: try Program.Folder())
    }

    private static func areInstalled(_ programs: String...) -> Bool {
        programs.allSatisfy { FileManager.default.isExecutableFile(atPath: "/usr/bin/" + $0) }
    }

    @Test(.enabled(if: areInstalled("openssl")), arguments: ["openssl-server.mux", "openssl-client.mux"])
    func talksWithOpenSSL(script: String) throws {
        let outcome = try run(script)
        #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
    }

    @Test(.enabled(if: areInstalled("socat")))
    func talksWithSocat() throws {
        let outcome = try run("socat.mux")
        #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
    }

    @Test(.enabled(if: areInstalled("redis-server", "redis-cli", "memcached", "python3")))
    func startsPrograms() throws {
        let outcome = try run("programs.mux")
        #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
    }

    @Test(.enabled(if: RealServer.areInstalled([.nginxTLS])))
    func talksWithNginx() throws {
        let server = try RealServer(.nginxTLS)
        let outcome = try run("nginx-tls.mux", ["-D", "web=localhost:\(server.port)"])
        #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
        withExtendedLifetime(server) {}
    }
}
