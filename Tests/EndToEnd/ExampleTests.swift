import Foundation
import TestSupport
import Testing

/// The scripts of scripts/examples, run against real servers where they need one.
struct ExampleTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("scripts/examples")

    /// The examples that need a server, with the variables that contain its address.
    static let servers: [String: [(variable: String, kind: RealServer.Kind)]] = [
        "redis-replication.mux": [("primary", .redis), ("replica", .redis)],
        "redis-fan-out.mux": [("redis", .redis)],
        "memcached.mux": [("memcached", .memcached)],
        "http-keep-alive.mux": [("web", .nginx)],
        "smtp.mux": [("smtp", .smtp)],
        "https.mux": [("web", .nginxTLS)],
        "smtp-starttls.mux": [("smtp", .smtpTLS)],
        "irc.mux": [("irc", .ngircd)],
        "compare-servers.mux": [("old", .redis), ("new", .redis)],
        "tests/redis.mux": [("redis", .redis)],
    ]

    private static func scripts(in folder: String = "") -> [String] {
        let place = Self.folder.appendingPathComponent(folder)
        let files = (try? FileManager.default.contentsOfDirectory(at: place, includingPropertiesForKeys: nil)) ?? []
        let names = files.filter { $0.pathExtension == "mux" }.map(\.lastPathComponent).sorted()
        return names.map { folder.isEmpty ? $0 : folder + "/" + $0 }
    }

    /// The examples that wait for a program started by the test.
    private static let withCounterpart = ["proxy.mux", "record-traffic.mux"]

    private func run(_ script: String, _ options: [String]) throws -> Program.Outcome {
        let path = Self.folder.appendingPathComponent(script).path
        let variables = ["certs=\(Certificates.folder?.path ?? "")", "ca=\(Certificates.path("ca.pem"))"]
        return try Program.run(
            "muxsh", options + variables.flatMap { ["-D", $0] } + [path], in: try Program.Folder())
    }

    @Test func thereAreManyExamples() {
        #expect(Self.scripts().count >= 18 && Self.scripts(in: "tests").count >= 3)
    }

    @Test(arguments: (scripts() + scripts(in: "tests")).filter { servers[$0] == nil && !withCounterpart.contains($0) })
    func runsByItself(script: String) throws {
        let outcome = try run(script, ["-q"])
        #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
    }

    @Test(
        .enabled(if: RealServer.areInstalled(servers.values.flatMap { $0 }.map(\.kind))),
        arguments: servers.keys.sorted())
    func runsAgainstTheRealServer(script: String) throws {
        let servers = try (Self.servers[script] ?? []).map { ($0.variable, try RealServer($0.kind)) }
        let options = servers.flatMap { ["-D", "\($0)=localhost:\($1.port)"] }
        let outcome = try run(script, ["--timeout-scale", "4"] + options)
        #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
        withExtendedLifetime(servers) {}
    }

    @Test(.enabled(if: RealServer.areInstalled([.nginx])))
    func testsARealProxyWithAFakeBackend() throws {
        let backend = RealServer.freePort()
        let proxy = try RealServer(.nginx, backend: backend)
        let outcome = try run(
            "proxy.mux",
            ["--timeout-scale", "4", "-D", "proxy=localhost:\(proxy.port)", "-D", "backend=:\(backend)"])
        #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
        withExtendedLifetime(proxy) {}
    }

    /// The same script as a user runs it: a real redis-cli connects through it, and its transcript is a script.
    @Test(.enabled(if: RealServer.areInstalled([.redis])))
    func recordsRealTraffic() throws {
        let redis = try RealServer(.redis)
        let folder = try Program.Folder()
        let script = Self.folder.appendingPathComponent("record-traffic.mux").path
        let port = RealServer.freePort()
        let outcome = try Program.run(
            "/bin/sh",
            [
                "-e", "-c",
                """
                '\(Program.path("muxsh"))' --transcript all.mux -D server=localhost:\(redis.port) -D port=\(port) '\(script)' &
                '\(Program.path("muxsh"))' -q -c 'open ready localhost:\(redis.port) --retry 20s'
                until redis-cli -p \(port) -r 2 SET n 1; do :; done
                wait $!
                grep '^server\\|^open server' all.mux > client.mux
                exec '\(Program.path("muxsh"))' client.mux
                """,
            ], in: folder)
        #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
        #expect(outcome.out.hasSuffix("server< +OK\nserver>|\nserver<|\n"), "\(outcome.out)")
        withExtendedLifetime(redis) {}
    }

    @Test(arguments: ["", "-j3 "])
    func proveRunsTheTests(jobs: String) throws {
        let tests = Self.folder.appendingPathComponent("tests").path
        let prove = try RunningProgram(
            shell: "exec prove \(jobs)--ext mux --exec '\(Program.path("muxsh")) --report tap' \(tests) 2>&1")
        var lines: [String] = []
        while let line = prove.line() { lines.append(line) }
        #expect(prove.end().status == 0 && lines.last == "Result: PASS", "\(lines.joined(separator: "\n"))")
    }
}
