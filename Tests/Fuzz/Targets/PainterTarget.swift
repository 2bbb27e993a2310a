import Glibc
import Reactor
import Sessions
import TestSupport

@testable import Terminal

/// Text above a line that is being typed, in any sequence: the screen shows what one fresh painting shows, and the
/// terminal gets no control sequence but those of the painter.
enum PainterTarget: FuzzTarget {
    private static let (rows, columns) = (24, 80)

    static func run(_ input: [UInt8]) {
        var choices = Choices(input[...])
        let painter = Painter()
        var text: [UInt8] = []
        var scene = Screen.Scene()
        while !choices.isEmpty {
            switch choices.number(below: 3) {
            case 0:
                let line = words(&choices) + [0x0A]
                painter.screen.show(line)
                text += line
            case 1:
                scene = Self.scene(&choices)
                painter.screen.refresh(scene)
            default: painter.screen.refresh(scene)
            }
            painter.carry()
        }
        painter.screen.refresh(scene)
        painter.carry()

        let fresh = Painter()
        fresh.screen.show(text)
        fresh.screen.refresh(scene)
        fresh.carry()
        require(painter.seen == fresh.seen, "the screen shows \(painter.seen), a fresh one \(fresh.seen)")
        require(painter.terminal.cursor == fresh.terminal.cursor, "the cursor is elsewhere")
    }

    /// A row of text: narrow, wide and combining characters.
    private static func words(_ choices: inout Choices) -> [UInt8] {
        let alphabet = ["a", "b ", "你", "e\u{301}", "─", "xyz", "  "]
        return (0..<choices.number(below: 120)).flatMap { _ in Array(alphabet[choices.number(below: 7)].utf8) }
    }

    private static func scene(_ choices: inout Choices) -> Screen.Scene {
        var scene = Screen.Scene()
        scene.prompt = Array("muxsh> ".unicodeScalars.map(\.value))
        let line = String(decoding: words(&choices), as: UTF8.self).unicodeScalars.map(\.value)
        scene.line = choices.byte() & 3 == 0 ? line + [0x0A] + line : line
        scene.rowPrompt = Array("...> ".unicodeScalars.map(\.value))
        scene.cursor = min(scene.line.count, Int(choices.byte()))
        if choices.byte() & 3 == 0 { scene.suggestion = Array("more".unicodeScalars.map(\.value)) }
        let count = choices.number(below: 4)
        if count > 1 { scene.panel = { room in (0..<min(count, room)).map { Screen.PanelRow("choice \($0)") } } }
        return scene
    }

    /// A screen that writes into an emulator.
    private final class Painter {
        let pair = SocketPair()
        let screen: Screen
        let terminal: ProgramScreen

        init() {
            guard let terminal = ProgramScreen(rows: rows, columns: columns) else { fatalError("no memory") }
            self.terminal = terminal
            screen = Screen(OutputStream(owning: Descriptor(owning: pair.near), on: EventLoop()))
        }

        var seen: [String] { terminal.picture(terminal.lines) }

        func carry() {
            let bytes = pair.heard()
            var index = 0
            while index < bytes.count {
                let byte = bytes[index]
                index += 1
                if byte == 0x1B {
                    require(index < bytes.count && bytes[index] == UInt8(ascii: "["), "an unknown sequence")
                    index += 1
                    while index < bytes.count, bytes[index] < 0x40 { index += 1 }
                    require(
                        index < bytes.count && Array("ABCDGHJKhlm".utf8).contains(bytes[index]),
                        "an unknown final \(bytes[index])")
                    index += 1
                } else {
                    require(byte >= 0x20 && byte != 0x7F || [0x08, 0x0A, 0x0D].contains(byte), "a control byte")
                }
            }
            // The terminal driver adds the carriage return to a newline (termios(3), ONLCR).
            let driven = bytes.flatMap { $0 == 0x0A ? [0x0D, 0x0A] : [$0] }
            driven.withUnsafeBytes { terminal.receive($0) }
        }
    }
}
