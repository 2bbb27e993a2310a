import Reactor
import Script

/// Writes all text outside the transcript: the output of scripts and commands, and standard error. Secrets are hidden
/// here and in the transcript, and nowhere else.
package final class Diagnostics {
    private let output: any Output
    private let redactor: Redactor
    /// Formats a failure; returns nil to use `FailureText.rendered`.
    package var wording: ((FailureText) -> String?)?

    package init(_ output: any Output, hiding redactor: Redactor) {
        self.output = output
        self.redactor = redactor
    }

    /// Writes whole lines to standard error.
    package func report(_ text: String) {
        output.diagnose(redactor.readable(text).losslessBytes)
    }

    /// Writes `text` to standard error as a single line; newlines in it are escaped.
    package func report(line text: String) {
        output.diagnose(Array((visible(redactor.redacted(text)) + "\n").utf8))
    }

    /// Writes a failure to standard error.
    package func report(_ failure: Failure) {
        let message = FailureText(failure, redactor)
        report(wording?(message) ?? message.rendered)
    }

    /// Returns the text of a failure, for a report.
    package func message(of failure: Failure) -> String {
        redactor.readable(failure.rendered ?? FailureText(failure, redactor).rendered)
    }

    /// Writes text printed by a script to standard output, followed by a newline unless `isRaw`. Returns the line as
    /// shown; empty if `isRaw`.
    package func print(_ text: [UInt8], isRaw: Bool = false) -> [UInt8] {
        let shown = redactor.redacted(text)
        if isRaw {
            output.write(shown)
            return []
        }
        var line: [UInt8] = []
        Escapes.appendPrintable(shown, to: &line)
        line.append(UInt8(ascii: "\n"))
        output.write(line)
        return line
    }

    /// Writes a line of a command's output; a prompt shows it one screen at a time. Returns the line as shown.
    package func page(_ text: String) -> [UInt8] {
        var line: [UInt8] = []
        Escapes.appendPrintable(redactor.redacted(text).losslessBytes, to: &line)
        output.page(line + [UInt8(ascii: "\n")])
        return line
    }

    /// Returns text for another destination, such as the history or a report, with secrets hidden.
    package func hidden(_ text: String) -> String { redactor.redacted(text) }
}
