import Foundation
import Testing

struct EchodTests {
    private func start(_ arguments: String = "", limits: String = "") throws -> (program: RunningProgram, port: Int) {
        let program = try RunningProgram(shell: "\(limits) exec '\(Program.path("echod"))' --port 0 \(arguments)")
        return (program, try #require(program.port()))
    }

    @Test func answersBytesWithoutALineAndEndsInOrder() throws {
        let (echod, port) = try start()
        let client = try #require(Client(port: port))
        client.say("Hello, wörld")
        #expect(client.hear(13) == "HELLO, WöRLD")
        client.say("bye")
        client.endOutput()
        #expect(client.hear(100) == "BYE")
        echod.signal(SIGTERM)
        #expect(echod.end() == (0, ""))
    }

    @Test func nobodyIsLostWhenDescriptorsRunOut() throws {
        let (echod, port) = try start(limits: "ulimit -n 16;")
        var clients = (0..<60).compactMap { _ in Client(port: port) }
        #expect(clients.count == 60)
        for (index, client) in clients.enumerated() { client.say("c\(index)") }
        // The first clients are served; each one that leaves makes room for a waiting one.
        for index in 0..<60 {
            #expect(clients[0].hear("c\(index)".utf8.count) == "C\(index)")
            clients.removeFirst()
        }
        let before = echod.ticks
        let late = try #require(Client(port: port))
        late.say("x")
        #expect(late.hear(1) == "X")
        #expect(echod.ticks - before <= 20)
        echod.signal(SIGINT)
        #expect(echod.end().status == 0)
    }

    @Test func aClientThatNeverReadsCostsBoundedMemoryAndNoTime() throws {
        let (echod, port) = try start()
        let greedy = try #require(Client(port: port))
        let memory = try #require(echod.kernelCount("VmRSS"))
        #expect(greedy.flood() > 65536)
        let other = try #require(Client(port: port))
        let before = echod.ticks
        for _ in 0..<2000 {
            other.say("ping")
            #expect(other.hear(4) == "PING")
        }
        #expect(try #require(echod.kernelCount("VmRSS")) - memory < 8192)
        #expect(echod.ticks - before < 100)
        #expect(echod.kernelCount("Threads") == 1)
        echod.signal(SIGTERM)
        // echod waits for the greedy client; a second signal ends the wait.
        echod.signal(SIGTERM)
        _ = echod.end()
    }

    @Test func resetsAndVanishedClientsHarmNobody() throws {
        let (echod, port) = try start()
        for round in 0..<50 {
            let client = try #require(Client(port: port))
            client.say(String(repeating: "x", count: round * 100))
            client.cut()
        }
        let client = try #require(Client(port: port))
        client.say("alive")
        #expect(client.hear(5) == "ALIVE")
        echod.signal(SIGTERM)
        #expect(echod.end().status == 0)
    }

    @Test func pendingAnswersAreFinishedAtTheEnd() throws {
        let (echod, port) = try start()
        let client = try #require(Client(port: port))
        client.say("first")
        #expect(client.hear(5) == "FIRST")
        client.say("last words")
        echod.signal(SIGTERM)
        #expect(client.hear(100) == "LAST WORDS")
        #expect(echod.end().status == 0)
    }

    @Test func whatAClientSentWithoutReadingIsAnsweredAtTheEnd() throws {
        let (echod, port) = try start("--mode echo")
        let client = try #require(Client(port: port))
        let sent = client.flood()
        echod.signal(SIGTERM)
        #expect(client.hear(sent + 1).utf8.count == sent)
        #expect(echod.end().status == 0)
    }

    @Test func onlyASocketsFileIsEverRemoved() throws {
        let folder = try Program.Folder()
        let file = folder.url.appendingPathComponent("precious")
        try "keep me".write(to: file, atomically: true, encoding: .utf8)
        let outcome = try Program.run("echod", ["--bind", "unix:" + file.path], in: folder)
        #expect(outcome.status == 3 && outcome.err.hasSuffix(": file exists\n"))
        #expect(try String(contentsOf: file, encoding: .utf8) == "keep me")
    }

    @Test func hasItsModes() throws {
        let (echo, port) = try start("--mode echo")
        let client = try #require(Client(port: port))
        client.say("Same")
        #expect(client.hear(4) == "Same")
        echo.signal(SIGTERM)
        #expect(echo.end().status == 0)
    }

    @Test func saysWhatItCannotDo() throws {
        let folder = try Program.Folder()
        let (echod, port) = try start()
        let taken = try Program.run("echod", ["--port", "\(port)"], in: folder)
        #expect(taken.status == 3 && taken.err == "echod: cannot listen on 127.0.0.1:\(port): address already in use\n")
        echod.signal(SIGTERM)
        _ = echod.end()
        let name = try Program.run("echod", ["--bind", "example.org"], in: folder)
        #expect(
            name.status == 3
                && name.err
                    == "echod: cannot listen on example.org:8080: the host must be an IP address, such as 127.0.0.1\n"
        )
        for (arguments, message) in [
            (["--mode", "loud"], "echod: --mode: 'loud' is not one of upper, echo, discard\n"),
            (["--max-connections", "0"], "--max-connections: '0' is not a number from 1 to 1000000\n"),
            (["--idle-timeout", "3d"], "--idle-timeout: '3d' is not a duration\n  help: write 500ms, 30s or 2m\n"),
            (["--bind", "unix:"], "a unix: address needs a path"),
            (["x"], "echod: unexpected argument 'x'\n"),
            (["--nope"], "echod: unknown option '--nope'\n  help: 'echod --help' lists the options\n"),
        ] {
            let outcome = try Program.run("echod", arguments, in: folder)
            #expect(outcome.status == 1 && outcome.err.contains(message), "\(arguments): \(outcome.err)")
        }
        let version = try Program.run("echod", ["--version"], in: folder)
        #expect(version.status == 0 && version.out == "echod 0.2.0\n")
    }

    @Test func tellsOfItsClients() throws {
        let (echod, port) = try start("-v")
        do {
            let client = try #require(Client(port: port))
            client.say("hey")
            #expect(client.hear(3) == "HEY")
        }
        echod.signal(SIGTERM)
        let err = echod.end().err
        #expect(err.range(of: #"^echod: 127\.0\.0\.1:\d+ connected\n"#, options: .regularExpression) != nil, "\(err)")
    }
}
