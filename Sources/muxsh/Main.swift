import Commands
import Glibc
import Options
import Reactor

/// The multiplexing shell: parses the options, runs, and exits with a status.
@main
struct Main {
    static func main() {
        occupyStandardDescriptors()
        let shell: Shell
        do throws(UsageError) {
            let invocation = try Invocation.read(programArguments())
            if let request = invocation.request { exit(Shell(Invocation()).show(text(of: request), isFailure: false)) }
            shell = Shell(invocation)
        } catch {
            exit(Shell(Invocation()).show(Invocation.options.message(for: error) + "\n", isFailure: true))
        }
        let status = shell.run()
        shell.end()
        exit(status)
    }

    /// Returns a text about the program itself.
    private static func text(of request: Invocation.Request) -> String {
        switch request {
        case .text(let text): text
        case .commandSection: Manual(CommandRegistry.standard().table).commandSection
        case .editorSyntax(let editor): EditorSyntax(CommandRegistry.standard().table).text(for: editor)
        }
    }
}
