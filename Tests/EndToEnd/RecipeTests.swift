import Foundation
import TestSupport
import Testing

/// Every recipe of muxsh(7) runs, against real servers where it names one.
struct RecipeTests {
    /// One section of the cookbook.
    struct Recipe: CustomTestStringConvertible, Sendable {
        let title: String
        /// The script as a reader would copy it.
        var script = ""
        /// The shell command lines.
        var commands: [String] = []

        var testDescription: String { title }
    }

    /// The server for each address in the recipes.
    private static let servers: [String: RealServer.Kind] = [
        "localhost:6379": .redis, "localhost:6380": .redis, "localhost:8080": .nginx, "localhost:8443": .nginxTLS,
        "localhost:11211": .memcached, "localhost:5353": .dnsmasq, "localhost:1883": .mosquitto,
        "localhost:5432": .postgres,
    ]

    /// The recipes that wait for a client or need a server with a special configuration.
    private static let special = ["Test a proxy", "Record a real client"]

    /// Whether the Debian programs that recipes start are installed.
    private static let isComplete = RealServer.areInstalled([
        .redis, .nginx, .memcached, .dnsmasq, .mosquitto, .postgres,
    ])

    private static let page: String = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return (try? String(contentsOf: root.appendingPathComponent("man/muxsh.7"), encoding: .utf8)) ?? ""
    }()

    private static let recipes: [Recipe] = {
        var recipes: [Recipe] = []
        var isScript = false
        for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix(".Ss ") {
                recipes.append(Recipe(title: String(line.dropFirst(4))))
            } else if let last = recipes.indices.last {
                if line == ".Ed" { isScript = false }
                let text = line.replacing("\\e", with: "\\").replacing("\\&", with: "")
                if isScript { recipes[last].script += text + "\n" }
                if line.hasPrefix(".Dl ") { recipes[last].commands.append(String(text.dropFirst(4))) }
                if line.hasPrefix(".Bd ") { isScript = true }
            }
        }
        return recipes
    }()

    private static func recipe(_ title: String) throws -> Recipe {
        try #require(recipes.first { $0.title == title })
    }

    /// Returns a folder with the certificates that recipes name and the script as a file, alone and in a folder of
    /// tests.
    private func folder(_ script: String) throws -> Program.Folder {
        let folder = try Program.Folder()
        for name in ["ca.pem", "server.pem", "server.key"] {
            let file = URL(fileURLWithPath: Certificates.path(name).description)
            try FileManager.default.copyItem(at: file, to: folder.url.appendingPathComponent(name))
        }
        let tests = folder.url.appendingPathComponent("tests")
        try FileManager.default.createDirectory(at: tests, withIntermediateDirectories: false)
        for place in [folder.url, tests] {
            try script.write(to: place.appendingPathComponent("recipe.mux"), atomically: true, encoding: .utf8)
        }
        return folder
    }

    /// Runs command lines with the built programs first in PATH, and with time limits for slow machines.
    private func run(_ commands: [String], in folder: Program.Folder) throws -> Program.Outcome {
        let programs = URL(fileURLWithPath: Program.path("muxsh")).deletingLastPathComponent().path
        return try Program.run(
            "/bin/sh", ["-e", "-c", commands.joined(separator: "\n")], in: folder,
            environment: [
                "PATH": "\(programs):/usr/bin:/bin", "MUXSH_TIMEOUT_SCALE": "4", "PGPASSWORD": RealServer.password,
            ])
    }

    @Test func thePageHasRecipes() {
        #expect(Self.recipes.count >= 18)
        for recipe in Self.recipes { #expect(!recipe.script.isEmpty, "\(recipe.title)") }
        for title in Self.special { #expect(Self.recipes.contains { $0.title == title }) }
    }

    @Test(.enabled(if: isComplete), arguments: recipes.filter { !special.contains($0.title) })
    func runs(recipe: Recipe) throws {
        var recipe = recipe
        let text = recipe.script + recipe.commands.joined()
        var running: [RealServer] = []
        for (address, kind) in Self.servers where text.contains(address) {
            let server = try RealServer(kind)
            running.append(server)
            recipe.script.replace(address, with: "localhost:\(server.port)")
            recipe.commands = recipe.commands.map { $0.replacing(address, with: "localhost:\(server.port)") }
        }
        for server in running { try server.untilReady() }
        let outcome = try run(["muxsh recipe.mux"] + recipe.commands, in: folder(recipe.script))
        #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
        withExtendedLifetime(running) {}
    }

    @Test(.enabled(if: isComplete))
    func testsAProxy() throws {
        let backend = RealServer.freePort()
        let proxy = try RealServer(.nginx, backend: backend)
        try proxy.untilReady()
        let script = try Self.recipe("Test a proxy").script
            .replacing("localhost:8080", with: "localhost:\(proxy.port)").replacing(":9000", with: ":\(backend)")
        let outcome = try run(["muxsh recipe.mux"], in: folder(script))
        #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
        withExtendedLifetime(proxy) {}
    }

    @Test(.enabled(if: isComplete))
    func recordsARealClient() throws {
        let redis = try RealServer(.redis)
        try redis.untilReady()
        let recipe = try Self.recipe("Record a real client")
        let port = RealServer.freePort()
        let script = recipe.script
            .replacing("localhost:6379", with: "localhost:\(redis.port)").replacing(":7000", with: ":\(port)")
        let record = [
            "muxsh --transcript all.mux recipe.mux &",
            "until redis-cli -p \(port) SET n 1; do :; done", "wait $!",
        ]
        let outcome = try run(record + recipe.commands + ["muxsh client.mux"], in: folder(script))
        #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
        #expect(outcome.out.contains("server< +OK\n"), "\(outcome.out)")
        withExtendedLifetime(redis) {}
    }
}
