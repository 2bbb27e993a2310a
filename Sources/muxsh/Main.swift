import ArgumentParser
import Engine
import Glibc
import Reactor

/// The multiplexing shell: options in, an exit status out.
@main
struct Main {
    static func main() {
        let options: Options
        do {
            options = try Options.parse()
        } catch {
            leave(with: error)
        }
        raiseDescriptorLimit()
        let shell = Shell(options)
        let status = shell.run()
        shell.end()
        exit(status)
    }

    /// Help and version are no errors; wrong usage is status 1, where the option library would say 64.
    private static func leave(with error: any Error) -> Never {
        let isFailure = Options.exitCode(for: error) != .success
        let text = Options.fullMessage(for: error) + "\n"
        writeAll(Array(text.utf8), to: isFailure ? STDERR_FILENO : STDOUT_FILENO)
        exit(isFailure ? Failure.Status.usage.rawValue : 0)
    }
}
