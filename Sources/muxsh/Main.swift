import ArgumentParser
import Engine
import Glibc
import Reactor
import Script

/// The multiplexing shell: options in, an exit status out.
@main
struct Main {
    static func main() {
        occupyStandardDescriptors()
        let invocation: Invocation
        do {
            invocation = try Invocation.read(Array(CommandLine.arguments.dropFirst()))
        } catch {
            leave(with: error)
        }
        let shell = Shell(invocation)
        let status = shell.run()
        shell.end()
        exit(status)
    }

    /// Help and version are no errors; wrong usage is status 1, where the option library would say 64.
    private static func leave(with error: any Error) -> Never {
        let isFailure = Options.exitCode(for: error) != .success
        var text: [UInt8] = []
        Escapes.appendPrintable(Array((Options.fullMessage(for: error) + "\n").utf8), to: &text)
        let isWritten = writeAll(text, to: isFailure ? STDERR_FILENO : STDOUT_FILENO)
        exit(isFailure ? Failure.Status.usage.rawValue : isWritten ? 0 : Failure.Status.connection.rawValue)
    }
}
