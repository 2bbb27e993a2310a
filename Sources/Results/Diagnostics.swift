import Reactor
import Script

/// Writes what is said outside of the transcript: what scripts and commands tell, and what goes to standard error. Here
/// and in the transcript secrets are hidden, and nowhere else.
package final class Diagnostics {
    private let output: any Output
    private let redactor: Redactor
    /// How a failure is worded; nil where `FailureText.rendered` is what fits.
    package var wording: ((FailureText) -> String?)?

    package init(_ output: any Output, hiding redactor: Redactor) {
        self.output = output
        self.redactor = redactor
    }

    /// Says something on standard error, whole lines.
    package func report(_ text: String) {
        output.diagnose(redactor.readable(text).losslessBytes)
    }

    /// Says something on standard error in one line, whatever is in it.
    package func report(line text: String) {
        output.diagnose(Array((visible(redactor.redacted(text)) + "\n").utf8))
    }

    /// Shows a failure on standard error.
    package func report(_ failure: Failure) {
        let message = FailureText(failure, redactor)
        report(wording?(message) ?? message.rendered)
    }

    /// A failure in words, for a report.
    package func message(of failure: Failure) -> String {
        redactor.readable(FailureText(failure, redactor).rendered)
    }

    /// Writes a text that a script says to standard output, with a newline unless `isRaw`; returns what was shown of it as
    /// a line.
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

    /// Writes a line of what a command tells; at a prompt a screen at a time. Returns what was shown.
    package func page(_ text: String) -> [UInt8] {
        var line: [UInt8] = []
        Escapes.appendPrintable(redactor.redacted(text).losslessBytes, to: &line)
        output.page(line + [UInt8(ascii: "\n")])
        return line
    }

    /// A text for another border, such as the history or a report, with the secrets hidden.
    package func hidden(_ text: String) -> String { redactor.redacted(text) }
}
