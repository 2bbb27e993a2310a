import Engine
import Reactor
import Terminal

/// The output of a run: standard output, or the screen of the line editor while there is one.
final class SwitchedOutput: Output {
    private let standard: StandardOutput
    /// Takes everything from when it is set.
    var editor: LineEditor?

    init(on loop: EventLoop) {
        standard = StandardOutput(on: loop)
    }

    var isCongested: Bool { editor?.isCongested ?? standard.isCongested }
    var isDrained: Bool { editor?.isDrained ?? standard.isDrained }
    var isBroken: Bool { editor?.isBroken ?? standard.isBroken }

    func write(_ text: [UInt8]) {
        if let editor { editor.show(text) } else { standard.write(text) }
    }

    func diagnose(_ text: [UInt8]) {
        if let editor { editor.show(text) } else { standard.diagnose(text) }
    }

    func flush() {
        if let editor { editor.refresh() } else { standard.flush() }
    }
}
