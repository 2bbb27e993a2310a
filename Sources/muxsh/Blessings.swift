import Engine
import Reactor
import Results
import Script

/// The end of a run with --bless.
extension Shell {
    /// Rewrites the expected lines that differed, or shows them; returns the status.
    func bless(_ mode: BlessMode, after status: Int32) -> Int32 {
        let (edits, left) = blessing.result
        guard status == 0 else {
            if !edits.isEmpty { say("muxsh: nothing is rewritten, because the run failed otherwise\n") }
            return status
        }
        for line in left { say("\(line.range.description): left as it is: \(line.reason)\n") }
        var isHeld = left.isEmpty
        var done: Set<[UInt8]> = []
        for path in edits.map(\.range.source.path) where done.insert(path).inserted {
            isHeld = bless(path, edits.filter { $0.range.source.path == path }, mode) && isHeld
        }
        return isHeld ? 0 : Failure.Status.expectation.rawValue
    }

    /// Returns whether the file holds now.
    private func bless(_ path: [UInt8], _ edits: [Blessing.Edit], _ mode: BlessMode) -> Bool {
        guard let path = SystemString(path), case .success(let now) = files.read(path),
            let file = BlessedFile(path, now.bytes, edits, hiding: secrets)
        else {
            say("muxsh: \(visible(String(lossless: path))) has changed during the run and is left as it is\n")
            return false
        }
        for line in file.difference { standardOutput.write(Array(diagnostics.hidden(line).utf8) + [0x0A]) }
        let lines = counted(file.changes.count, "line")
        guard mode == .write else {
            say("muxsh: \(lines) of \(path.shown) would change\n")
            return false
        }
        if let problem = file.write() {
            say("muxsh: cannot write \(path.shown): \(problem)\n")
            return false
        }
        say("muxsh: \(lines) of \(path.shown) rewritten\n")
        return true
    }
}
