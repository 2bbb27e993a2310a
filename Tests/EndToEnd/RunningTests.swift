import Foundation
import TestSupport
import Testing

/// Behavior visible only while muxsh runs: lines arriving one by one through a pipe, signals, readers that disappear.
struct RunningTests {
    private var muxsh: String { "exec '\(Program.path("muxsh"))'" }

    @Test func aProgramCanDriveItThroughAPipe() throws {
        let shell = try RunningProgram(shell: "\(muxsh) -q")
        shell.say("serve e :0\nopen a :${e.port}\nprint ready\n")
        #expect(shell.line() == "ready")
        shell.say("a> one\nexpect a \"ONE\"\nprint got ${0}\n")
        #expect(shell.line() == "got ONE")
        shell.say("repeat 2 as i {\n")
        shell.say("print ${i}\n}\n")
        #expect(shell.line() == "1" && shell.line() == "2")
        #expect(shell.kernelCount("Threads") == 1)
        shell.endInput()
        #expect(shell.end() == (0, ""))
    }

    @Test func retryWaitsForAServerThatIsStarting() throws {
        let folder = try Program.Folder()
        let path = folder.url.appendingPathComponent("s").path
        let shell = try RunningProgram(shell: "\(muxsh)")
        shell.say("open a unix:\(path) --retry 30s\na> x\na< X\nprint ok\n")
        // The statement is shown before the first attempt, which must fail: the server starts only now.
        #expect(shell.line() == "open a unix:\(path) --retry 30s")
        let echod = try RunningProgram(shell: "exec '\(Program.path("echod"))' --bind 'unix:\(path)'")
        #expect(echod.line() == "echod: listening on unix:\(path)")
        #expect(shell.line()?.hasPrefix("# a: connected to unix:\(path) in ") == true)
        #expect(shell.line() == "a> x" && shell.line() == "a< X" && shell.line() == "ok")
        echod.signal(SIGTERM)
        #expect(echod.end().status == 0)
        shell.endInput()
        #expect(shell.end().status == 0)
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func aServerThatDoesNotAcceptIsATimeOut() throws {
        // A full queue of length one: the kernel answers no further connection attempts.
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(listener) }
        listen(listener, 0)
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(listener, $0, &length) }
        }
        let port = Int(UInt16(bigEndian: address.sin_port))
        let waiting = (0..<2).compactMap { _ in Client(port: port, waits: false) }
        #expect(waiting.count == 2)
        let folder = try Program.Folder()
        let outcome = try Program.run(
            "muxsh", ["-q", "-c", "open a 127.0.0.1:\(port) --timeout 300ms"], in: folder)
        #expect(outcome.status == 3)
        #expect(
            normalized(outcome.err)
                == "<command>:1:1: error: a: cannot connect to 127.0.0.1:<PORT>: timed out after 300.0 ms\n"
                + " 1 | open a 127.0.0.1:<PORT> --timeout 300ms\n")
    }

    @Test func itSleepsWhileItWaits() throws {
        let shell = try RunningProgram(shell: "\(muxsh) -q")
        // A peer that has half-closed, and a waiting service: neither may keep the loop turning.
        shell.say("serve e :0\nopen a :${e.port}\na>|\na<|\nopen b :${e.port}\nprint ready\n")
        #expect(shell.line() == "ready")
        let before = shell.ticks
        shell.say("sleep 1s\nprint done\n")
        #expect(shell.line() == "done")
        // A busy loop would have used a hundred ticks.
        #expect(shell.ticks - before <= 5)
        shell.endInput()
        #expect(shell.end().status == 0)
    }

    @Test(arguments: [(SIGINT, Int32(130), "interrupted"), (SIGTERM, 143, "terminated"), (SIGHUP, 129, "hung up")])
    func aSignalEndsItWithItsStatus(signal: Int32, status: Int32, message: String) throws {
        let shell = try RunningProgram(shell: "\(muxsh) -q -c 'serve e :0' -c 'print ${tmp}' -c 'sleep forever'")
        let folder = try #require(shell.line())
        #expect(FileManager.default.fileExists(atPath: folder))
        shell.signal(signal)
        let outcome = shell.end()
        #expect(outcome.status == status)
        #expect(
            outcome.err
                == "<command>:3:1: error: \(message) while waiting for the end of the sleep\n 3 | sleep forever\n")
        #expect(!FileManager.default.fileExists(atPath: folder))
    }

    /// Killing muxsh by name must not kill the process that cleans up after it.
    @Test func theWardenBearsItsOwnName() throws {
        let shell = try RunningProgram(shell: "\(muxsh) -q -c 'spawn a cat' -c 'print ready' -c 'sleep forever'")
        #expect(shell.line() == "ready")
        func children(of number: some StringProtocol) throws -> [Substring] {
            try String(contentsOfFile: "/proc/\(number)/task/\(number)/children", encoding: .utf8).split(separator: " ")
        }
        func names(_ numbers: [Substring]) throws -> [Substring] {
            try numbers.map { try String(contentsOfFile: "/proc/\($0)/cmdline", encoding: .utf8).prefix { $0 != "\0" } }
        }
        let wardens = try children(of: String(shell.process.processIdentifier))
        #expect(try names(wardens) == ["muxsh-warden"])
        #expect(try names(wardens.flatMap { try children(of: $0) }) == ["cat"])
        shell.signal(SIGTERM)
        #expect(shell.end().status == 143)
    }

    /// Programs hold the writing end of a pipe. Its end of stream arrives when the last of them has ended, including
    /// those that they have started and those that ignore SIGTERM.
    @Test(arguments: [(SIGKILL, 137), (SIGTERM, 143), (SIGINT, 130), (Int32(0), 5)] as [(Int32, Int32)])
    func noProgramOutlivesIt(signal: Int32, status: Int32) throws {
        let folder = try Program.Folder()
        let pipe = folder.url.appendingPathComponent("pipe").path
        #expect(mkfifo(pipe, 0o600) == 0)
        let reading = open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        defer { close(reading) }
        let lines = [
            #"spawn a sh -c "exec 3>\#(pipe); sleep 1000 & echo up; wait""#, "a< up",
            #"spawn b --pty sh -c "exec 3>\#(pipe); sleep 1000 & echo up; wait""#, "b< up",
            #"spawn c sh -c "exec 3>\#(pipe); trap '' TERM HUP; sleep 1000 & echo up""#, "c< up", "wait c",
            // Processes that have left the group, the session or their parent, as jobs and daemons do.
            #"spawn e sh -c "exec 3>\#(pipe); timeout 1000 sleep 99 & echo up; wait""#, "e< up",
            #"spawn f bash -c "exec 3>\#(pipe); set -m; sleep 99 & echo up; wait""#, "f< up",
            #"spawn g --pty bash -c "exec 3>\#(pipe); set -m; nohup sleep 99 >/dev/null 2>&1 & disown; echo up; sleep 99""#,
            "g< up", #"spawn h sh -c "exec 3>\#(pipe); (setsid sh -c 'sleep 99 & sleep 99' &); echo up""#, "h< up",
            "wait h",
            #"spawn d sh -c "exec 3>\#(pipe); trap '' TERM; echo up; while :; do sleep 1000; done""#, "d< up",
            "print ready", signal == 0 ? "exit 5" : "sleep forever",
        ]
        let script = folder.url.appendingPathComponent("t.mux")
        try lines.joined(separator: "\n").appending("\n").write(to: script, atomically: true, encoding: .utf8)
        let shell = try RunningProgram(shell: "\(muxsh) -q '\(script.path)'")
        #expect(shell.line() == "ready")
        if signal != 0 { shell.signal(signal) }
        #expect(shell.end().status == status)
        // Blocks until the writing end is closed everywhere.
        _ = fcntl(reading, F_SETFL, 0)
        var byte: UInt8 = 0
        #expect(read(reading, &byte, 1) == 0)
    }

    // The thread sanitizer changes which signals are ignored.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["MUXSH_SANITIZED"] != "thread"))
    func programsFindTheirSurroundingsAsWeDid() throws {
        let shell = try RunningProgram(
            shell:
                "ulimit -Sn 200; trap '' USR1; sed -n 's/SigIgn:.//p' /proc/self/status; \(muxsh) -q -c 'spawn c sh -c \"ulimit -Sn; grep SigIgn /proc/self/status\"' -c 'c< 200' -c 'expect c /SigIgn:\\s(\\w+)/' -c 'print ${1}'"
        )
        let ignored = shell.line()
        #expect(ignored != nil && shell.line() == ignored)
        #expect(shell.end() == (0, ""))
    }

    @Test func aReaderThatIsGoneEndsItQuietly() throws {
        let shell = try RunningProgram(shell: "\(muxsh) -c 'repeat 1000000000 {' -c 'print x' -c '}'")
        #expect(shell.line() == "x")
        shell.stopReading()
        #expect(shell.end() == (3, ""))
    }

    /// A run that has to end while its output is not read ends with its own status.
    @Test(arguments: [(SIGTERM, "", Int32(143)), (SIGINT, "", 130), (0, "--max-time 500ms", 4)])
    func aReaderThatNeverReadsDoesNotHideAnEnd(signal: Int32, option: String, status: Int32) throws {
        let shell = try RunningProgram(
            shell: "\(muxsh) \(option) -c 'repeat 15000 {' -c 'print 0123456789012345678901234567890123456789' -c '}'")
        // The first line shows that it is running; its output then fills the pipe.
        #expect(shell.line() != nil)
        if signal != 0 { shell.signal(signal) }
        #expect(shell.end().status == status)
    }

    @Test func silenceIsNotCountedWhileNothingIsRead() throws {
        let server = try FakeServer("line\nbytes 20000000\n")
        defer { server.end() }
        let shell = try RunningProgram(
            shell:
                "\(muxsh) --linger 200ms -c 'open a localhost:\(server.port)' -c 'send a x' 2>&1 | (sleep 1; exec wc -c)"
        )
        let count = try #require(shell.line().flatMap { Int($0) })
        #expect(count > 20_000_000)
    }

    @Test func standardDescriptorsThatAreClosedAreErrors() throws {
        let folder = try Program.Folder()
        let muxsh = Program.path("muxsh")
        let noOutput = try Program.run("/bin/sh", ["-c", "'\(muxsh)' -c 'print hi' >&-"], in: folder)
        #expect(noOutput.status == 3)
        let noInput = try Program.run("/bin/sh", ["-c", "'\(muxsh)' <&-"], in: folder)
        #expect(noInput.status == 3 && noInput.err == "muxsh: cannot read standard input: bad file descriptor\n")
        let directory = try Program.run("/bin/sh", ["-c", "'\(muxsh)' </"], in: folder)
        #expect(directory.status == 3 && directory.err == "muxsh: cannot read standard input: is a directory\n")
        let full = try Program.run("/bin/sh", ["-c", "'\(muxsh)' --help >/dev/full"], in: folder)
        #expect(full.status == 3)
    }

    @Test func aSlowReaderLosesNothing() throws {
        let shell = try RunningProgram(shell: "\(muxsh) -c 'repeat 300000 as i {' -c 'print line ${i}' -c '}'")
        for number in 1...300_000 where shell.line() != "line \(number)" {
            Issue.record("line \(number) is missing")
            return
        }
        #expect(shell.line() == nil && shell.end() == (0, ""))
    }

    @Test func theTranscriptOfAConversationIsAScriptThatPasses() throws {
        let folder = try Program.Folder()
        let server = try RunningProgram(shell: "exec '\(Program.path("echod"))' --port 0")
        let port = try #require(server.port())
        let script = "open a localhost:\(port)\na> hello \\\\ ${file}\\t \na>\nsend a --raw \"x\\r\\ny\"\n"
        try script.write(to: folder.url.appendingPathComponent("s.mux"), atomically: true, encoding: .utf8)
        let first = try Program.run("muxsh", ["s.mux"], in: folder)
        #expect(first.status == 0 && first.out.contains("a< HELLO"))
        try first.out.write(to: folder.url.appendingPathComponent("again.mux"), atomically: true, encoding: .utf8)
        let second = try Program.run("muxsh", ["again.mux"], in: folder)
        #expect(second.status == 0 && second.err == "")
        // The sent lines are the same; the delay of the answers is not.
        func sent(_ text: String) -> [Substring] { text.split(separator: "\n").filter { $0.hasPrefix("a>") } }
        #expect(sent(second.out) == sent(first.out) && !sent(first.out).isEmpty)
        server.signal(SIGTERM)
        _ = server.end()
    }

    @Test func theClientAndServerOfTheSelectTutorialWork() throws {
        let python = "/usr/bin/python3"
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let tutorial = root.appendingPathComponent("scripts/benchmarks/tutorial_server.py").path
        let server = try RunningProgram(shell: "exec \(python) '\(tutorial)'")
        let port = try #require(server.port())
        let folder = try Program.Folder()
        let outcome = try Program.run(
            "muxsh",
            ["-q", "-c", "open a localhost:\(port)", "-c", "a> few bytes\\", "-c", "a< FEW BYTES\\", "-c", "print ok"],
            in: folder)
        #expect(outcome.out == "ok\n" && outcome.status == 0, "\(outcome.err)")
        server.signal(SIGTERM)
        // The other way around: the tutorial's client against muxsh's own service.
        let shell = try RunningProgram(shell: "\(muxsh) -q")
        shell.say("serve e :0\nprint ${e.port}\n")
        let servicePort = try #require(shell.line().flatMap { Int($0) })
        let client = try #require(Client(port: servicePort))
        client.say("few bytes")
        #expect(client.hear(9) == "FEW BYTES")
        shell.endInput()
        #expect(shell.end().status == 0)
    }

    /// The schema is that of CI servers. A random text in names, messages and outputs must not break the document.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/xmllint")), arguments: 0..<20)
    func junitReportsAreValid(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        func hostile() -> String {
            let bytes = (0..<30).map { _ in UInt8.random(in: 1...255, using: &generator) }
            return bytes.map { "\\x" + String($0 / 16, radix: 16) + String($0 % 16, radix: 16) }.joined()
        }
        let folder = try Program.Folder()
        let script = """
            test "\(hostile()) ]]>" {
                fail "\(hostile()) <![CDATA["
            }
            test "\(hostile())" {
                skip "\(hostile())"
            }
            test "passes" {
            }
            fail "\(hostile()) &amp;"
            """
        try script.write(to: folder.url.appendingPathComponent("a.mux"), atomically: true, encoding: .utf8)
        let run = try Program.run("muxsh", ["-q", "--report", "junit=out.xml", "a.mux"], in: folder)
        #expect(run.status == 4)
        let schema = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("junit.xsd")
        let check = try Program.run(
            "/usr/bin/xmllint", ["--noout", "--schema", schema.path, "out.xml"], in: folder)
        #expect(check.status == 0, "\(check.err)")
    }

    /// Whatever arrives, a blessed file holds, is not changed again, and keeps its other bytes and its mode.
    @Test(arguments: 0..<10)
    func blessedFilesHold(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        let folder = try Program.Folder()
        var script = "listen l :0\r\nopen a ${l.address}\naccept l b # named\r\n"
        for _ in 0..<20 {
            let bytes = (0..<Int.random(in: 0...8, using: &generator)).map { _ in
                [UInt8](" \\\"${}#/\u{e9}\u{1b}\0\t<>|~".utf8 + [0xFF, 0x61]).randomElement(using: &generator) ?? 0
            }
            let hex = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
            script += "send b --hex \"\(hex) 0a\"\n\ta<  old text\r\n"
        }
        let file = folder.url.appendingPathComponent("real.mux")
        try script.write(to: file, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: file.path)
        try FileManager.default.createSymbolicLink(
            at: folder.url.appendingPathComponent("link.mux"), withDestinationURL: file)
        let first = try Program.run("muxsh", ["-q", "--bless", "link.mux"], in: folder)
        #expect(first.status == 0, "\(first.err)")
        let blessed = try Data(contentsOf: file)
        let others = { (text: String) in text.components(separatedBy: "\n").filter { !$0.contains("a<") } }
        #expect(others(String(decoding: blessed, as: UTF8.self)) == others(script))
        #expect(String(decoding: blessed, as: UTF8.self).components(separatedBy: "\r\n").count == 23)
        let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
        #expect(mode == 0o640)
        let again = try Program.run("muxsh", ["-q", "--bless", "link.mux"], in: folder)
        #expect(again.status == 0 && again.out.isEmpty && again.err.isEmpty, "\(again.out)\(again.err)")
        let unchanged = try Data(contentsOf: file)
        #expect(unchanged == blessed)
        let plain = try Program.run("muxsh", ["-q", "link.mux"], in: folder)
        #expect(plain.status == 0, "\(plain.err)")
    }
}
