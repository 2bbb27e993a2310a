import Foundation
import Testing

/// The completion scripts, used by the shells themselves.
struct CompletionTests {
    private func run(_ shell: String, _ script: String) throws -> Program.Outcome {
        let folder = try Program.Folder()
        for program in ["muxsh", "echod"] {
            let text = try Program.run(program, ["--completions", shell], in: folder)
            #expect(text.status == 0 && text.err.isEmpty)
            try text.out.write(to: folder.url.appendingPathComponent(program), atomically: true, encoding: .utf8)
        }
        try "".write(to: folder.url.appendingPathComponent("smoke.mux"), atomically: true, encoding: .utf8)
        return try Program.run("/usr/bin/env", [shell, "-c", script], in: folder)
    }

    /// Returns what bash offers for the words of a command line; it divides words at "=".
    private func bash(_ program: String, _ words: [String]) throws -> [String] {
        let line = ([program] + words).map { "'\($0)'" }.joined(separator: " ")
        let script = """
            source ./\(program)
            COMP_WORDS=(\(line)) COMP_CWORD=\(words.count)
            _\(program) 2>&1
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        return try run("bash", script).out.split(separator: "\n").map(String.init)
    }

    @Test func bashCompletesOptionsValuesAndFiles() throws {
        #expect(try bash("muxsh", ["--time"]) == ["--timestamps", "--timeout", "--timeout-scale"])
        #expect(try bash("muxsh", ["--color", "a"]) == ["auto", "always"])
        #expect(try bash("muxsh", ["--color", "="]) == ["auto", "always", "never"])
        #expect(try bash("muxsh", ["--color", "=", "n"]) == ["never"])
        #expect(try bash("muxsh", ["--bless", "=", ""]) == ["write", "check"])
        #expect(try bash("muxsh", ["--bless", "sm"]) == ["smoke.mux"])
        #expect(try bash("muxsh", ["-q", "sm"]) == ["smoke.mux"])
        #expect(try bash("muxsh", ["--transcript", "sm"]) == ["smoke.mux"])
        #expect(try bash("muxsh", ["--timeout", ""]) == [])
        #expect(try bash("muxsh", ["--manual"]) == [])
        #expect(try bash("echod", ["--mode", ""]) == ["upper", "echo", "discard"])
        #expect(try bash("echod", ["sm"]) == [])
    }

    @Test func fishCompletesOptionsAndValues() throws {
        func fish(_ line: String) throws -> [String] {
            let script = "source ./muxsh; source ./echod; complete -C '\(line)'"
            return try run("fish", script).out.split(separator: "\n").map {
                String($0.prefix { $0 != "\t" })
            }
        }
        #expect(try fish("muxsh --time") == ["--timeout", "--timeout-scale", "--timestamps"])
        #expect(try fish("muxsh --color a") == ["always", "auto"])
        #expect(try fish("muxsh --bless=") == ["--bless=check", "--bless=write"])
        #expect(try fish("muxsh sm") == ["smoke.mux"])
        #expect(try fish("echod --mode e") == ["echo"])
        #expect(try fish("echod sm") == [])
    }

    /// zsh reads the functions without an error; what they complete would need its line editor.
    @Test func zshReadsTheFunctions() throws {
        let outcome = try run("zsh", "zsh -n muxsh && zsh -n echod && head -1 muxsh echod")
        #expect(outcome.status == 0 && outcome.err.isEmpty, "\(outcome.err)")
        #expect(outcome.out.contains("#compdef muxsh") && outcome.out.contains("#compdef echod"))
    }
}
