import Engine
import Glibc
import Reactor
import Results
import VM

/// Asks for a line at the controlling terminal, without echo, then calls `done` with it.
final class AskWait: Wait, DescriptorWatcher {
    var limit: Duration?
    var wanted: String { "the answer to \"\(visible(question))\"" }
    private let question: String
    private let done: (Strand, [UInt8]) throws(Failure) -> Void
    private unowned let world: World
    private let terminal: SharedDescriptor
    /// The settings to return to; nil before the question and after the answer.
    private var former: TerminalSettings?
    private var strand: Strand?
    private var answer: [UInt8] = []

    init(
        _ question: String, variable: String, _ world: World, done: @escaping (Strand, [UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        self.question = question
        self.world = world
        self.done = done
        let number = open("/dev/tty", O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard number >= 0 else {
            throw Failure(
                .expectation, "cannot ask for '\(variable)': there is no terminal",
                details: ["without one, take it from elsewhere: let --secret \(variable) ${env.NAME}"])
        }
        terminal = SharedDescriptor(Descriptor(owning: number))
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        if self.strand == nil {
            self.strand = strand
            ask()
        }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(terminal.number, &buffer, buffer.count)
        if count < 0, errno == EAGAIN || errno == EINTR { return false }
        answer += buffer.prefix(max(0, count))
        guard count <= 0 || answer.last == UInt8(ascii: "\n") else { return false }
        cancel()
        guard answer.last == UInt8(ascii: "\n") else {
            throw Failure(.expectation, "no answer to \"\(visible(question))\"")
        }
        try done(strand, answer.dropLast())
        return true
    }

    func cancel() {
        guard let former else { return }
        self.former = nil
        world.loop.unwatch(terminal.number)
        // The newline that ended the answer was not echoed.
        show("\n")
        former.apply(to: terminal.number)
        world.terminal?.takeBack()
    }

    func descriptorIsReadable() { strand?.wake() }

    func descriptorIsWritable() {}

    private func ask() {
        world.output.flush()
        world.terminal?.lend()
        former = TerminalSettings(of: terminal.number)
        let silent = TerminalSettings(of: terminal.number)
        silent?.hasEcho = false
        silent?.apply(to: terminal.number)
        show(visible(question))
        world.loop.watch(terminal.number, read: true, write: false, watcher: self)
    }

    private func show(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(terminal.number, bytes, bytes.count)
    }
}
