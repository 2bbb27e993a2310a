import ArgumentParser
import Glibc
import Reactor
import Script

/// The multiplexing shell: parses the options, runs, and exits with a status.
@main
struct Main {
    static func main() {
        occupyStandardDescriptors()
        let invocation: Invocation
        do {
            invocation = try Invocation.read(arguments)
        } catch {
            leave(with: error)
        }
        let shell = Shell(invocation)
        let status = shell.run()
        shell.end()
        exit(status)
    }

    private static var arguments: [SystemString] {
        (1..<max(1, Int(CommandLine.argc))).compactMap { CommandLine.unsafeArgv[$0].map { SystemString(copying: $0) } }
    }

    /// Exits with help, the version or a usage error. Help and version are not errors; a usage error is status 1, where
    /// the option library would use 64.
    private static func leave(with error: any Error) -> Never {
        let isFailure = Options.exitCode(for: error) != .success
        let shell = Shell(Invocation())
        let status = shell.show(Options.fullMessage(for: error) + "\n", isFailure: isFailure)
        exit(status)
    }
}
