import Glibc
import Reactor
import Script
import TestSupport
import Wire

@testable import Commands
@testable import Engine
@testable import Results
@testable import Sessions
@testable import VM

// Creating it takes longer than most tests. With all descriptions made, it never changes: tests run in parallel.
nonisolated(unsafe) let standardRegistry: CommandRegistry = {
    let registry = CommandRegistry.standard()
    _ = registry.table.descriptions
    return registry
}()

/// Keeps the output of the engine in memory.
final class MemoryOutput: Output {
    var text: [UInt8] = []
    var errors: [UInt8] = []
    var isCongested = false

    func write(_ text: [UInt8]) { self.text += text }
    func diagnose(_ text: [UInt8]) { errors += text }
    func flush() {}
    var isDrained: Bool { true }
    var isBroken: Bool { false }
}

/// A world with a session named `a` over a socket pair, a manually advanced clock, and output in memory.
final class Stage {
    let hand = HandClock()
    let loop: EventLoop
    let pair = SocketPair()
    let output = MemoryOutput()
    let world: World
    /// The reason why the last lines could not be compiled, or nil.
    private var refusal: String?
    let registry = standardRegistry
    private var checker = Checker(
        commands: standardRegistry.table, variables: [], sessions: ["a", "b"], environment: [])
    private var parser: Parser

    init(inboxLimit: Int = 1 << 20) {
        loop = EventLoop(clock: hand.clock)
        let output = self.output
        let redactor = Redactor()
        let transcript = Transcript(
            on: loop, start: hand.now, redactor: redactor, sinks: [.display { output.write($0) }])
        world = World(
            on: loop, settings: Settings(), variables: Variables(), secrets: redactor, transcript: transcript,
            output: output)
        parser = Parser(source: SourceText(name: "t.mux"), commands: registry.table) { _ in
            .success(.init(bytes: [], identity: ""))
        }
        addSession("a", pair, inboxLimit: inboxLimit)
    }

    func addSession(_ name: String, _ pair: SocketPair, inboxLimit: Int = 1 << 20) {
        let channel = Channel(
            transport: SocketTransport(owning: Descriptor(owning: pair.near)), peer: "test", inboxLimit: inboxLimit,
            on: loop)
        world.sessions.add(
            Session(
                name: name, address: "test", channel: channel, lineEnding: nil, ownEnding: .lf, color: "36",
                transcript: world.transcript, observer: world, on: loop))
    }

    /// Parses, checks and starts lines.
    func start(_ text: String, isWhole: Bool = false) {
        for line in SourceText.lines(of: Array(text.utf8)) { parser.feed(line) }
        let statements = parser.takeCompleted()
        let errors = parser.errors + checker.check(statements)
        precondition(errors.isEmpty, errors.map(\.message).joined(separator: "; "))
        refusal = nil
        do {
            world.start(try registry.compile(statements), as: .script(isWhole: isWhole))
        } catch {
            refusal = error.errors.first?.message
        }
        settle()
    }

    /// Turns the loop until nothing changes any more unless time passes or the peer acts.
    func settle() {
        for _ in 0..<8 {
            world.runReady()
            loop.turn(mayBlock: false)
        }
        world.runReady()
    }

    /// Closes the sessions: the loop keeps those that are open.
    func end() {
        for session in world.sessions.all { session.channel.close() }
        world.cancel()
        settle()
    }

    func hear(_ bytes: [UInt8]) {
        pair.say(bytes)
        settle()
    }

    func hear(_ text: String) {
        hear(Array(text.utf8))
    }

    /// Advances the clock.
    func wait(_ duration: Duration) {
        hand.advance(by: duration)
        settle()
    }

    /// `passed`, `running`, `exited`, or the first line of the failure.
    var state: String {
        if let refusal { return refusal }
        return switch world.outcome {
        case nil: "running"
        case .passed: "passed"
        case .exited(let status): "exited \(status.map(String.init) ?? "")"
        case .cancelled: "cancelled"
        case .failed(let failure): failure.message
        }
    }

    var shown: String { String(decoding: output.text, as: UTF8.self) }

    /// The unread input of `a`.
    var unread: String {
        String(decoding: world.sessions["a"]?.feed.inbox.bytes.map { $0 } ?? [], as: UTF8.self)
    }

    /// The data that the peer of `a` has received so far.
    var heard: String { String(decoding: pair.heard(), as: UTF8.self) }

    func variable(_ name: String) -> String? {
        world.variables[name].map { String(decoding: $0, as: UTF8.self) }
    }
}

extension Stage {
    /// Returns a parser for lines typed at a prompt.
    var typedParser: Parser {
        Parser(source: SourceText(name: "<prompt>"), commands: registry.table) { _ in
            .success(.init(bytes: [], identity: ""))
        }
    }
}

extension Stage {
    /// Returns the unread input of a session.
    func unread(of name: String) -> String {
        String(decoding: world.sessions[name]?.feed.inbox.bytes.map { $0 } ?? [], as: UTF8.self)
    }
}
