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

    /// Returns the line with the text that arrived after its arrow.
    private func line(_ edit: Blessing.Edit) -> [UInt8] {
        var line = Array(edit.range.lineText[..<edit.textRange.columns.lowerBound])
        while let last = line.last, last == 0x20 || last == 0x09 { line.removeLast() }
        guard !edit.text.isEmpty else { return line }
        line.append(UInt8(ascii: " "))
        edit.text.withUnsafeBytes { secrets.appendEscaped($0, to: &line, isCutBefore: false, isCutAfter: false) }
        return line
    }

    /// Returns whether the file holds now.
    private func bless(_ path: [UInt8], _ edits: [Blessing.Edit], _ mode: BlessMode) -> Bool {
        guard let path = SystemString(path), case .success(let now) = files.read(path),
            let file = RewrittenFile(path, now.bytes, edits.map { ($0.range.line, $0.range.lineText, line($0)) })
        else {
            say("muxsh: \(visible(String(lossless: path))) has changed during the run and is left as it is\n")
            return false
        }
        show(file)
        let lines = counted(file.changes.count, "line")
        guard mode == .write else {
            say("muxsh: \(lines) of \(path.shown) would change\n")
            return false
        }
        guard write(file) else { return false }
        say("muxsh: \(lines) of \(path.shown) rewritten\n")
        return true
    }

    /// Shows the changes of a file on standard output.
    func show(_ file: RewrittenFile) {
        for line in file.difference { standardOutput.write(Array(diagnostics.hidden(line).utf8) + [0x0A]) }
    }

    /// Writes a file; returns whether it is written.
    func write(_ file: RewrittenFile) -> Bool {
        guard let problem = file.write() else { return true }
        say("muxsh: cannot write \(file.path.shown): \(problem)\n")
        return false
    }
}
