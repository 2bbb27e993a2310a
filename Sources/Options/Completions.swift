/// A shell that can complete options.
package enum CompletionShell: String, CaseIterable, Sendable {
    case bash, zsh, fish
}

extension OptionTable {
    /// Returns the script with which a shell completes the program's options and their values.
    package func completions(for shell: CompletionShell) -> String {
        switch shell {
        case .bash: bashCompletions
        case .zsh: zshCompletions
        case .fish: fishCompletions
        }
    }

    private var visible: [ProgramOption<Settings>] { all.filter { !$0.isHidden } }

    private var bashCompletions: String {
        // The separators of words in bash contain "=": --color=al is three words.
        let values = visible.compactMap { option -> String? in
            guard let parameter = option.parameter else { return nil }
            let action =
                switch parameter.choices {
                case .nothing: "return"
                case .files: "_\(program)_files; return"
                case .values(let values): "_\(program)_words '\(values.joined(separator: " "))'; return"
                }
            // An optional argument follows "=" only.
            let pattern = option.names.map { name -> String in
                if case .optional = option.argument { return name + "=" }
                return name.hasPrefix("--") ? "\(name)|\(name)=" : name
            }
            return "        \(pattern.joined(separator: "|"))) \(action) ;;"
        }
        let names = visible.flatMap(\.names).joined(separator: " ")
        return """
            # Completion of \(program) for bash.
            _\(program)_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current"); }
            _\(program)_files() { compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); }
            _\(program)() {
                local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD-1]}
                if [[ $current == = ]]; then
                    option+== current=
                elif [[ $option == = ]]; then
                    option=${COMP_WORDS[COMP_CWORD-2]}=
                fi
                COMPREPLY=()
                case $option in
            \(values.joined(separator: "\n"))
                esac
                if [[ $current == -* ]]; then
                    _\(program)_words '\(names)'
                \(operand == nil ? "" : "else\n        _\(program)_files\n    ")fi
            }
            complete -F _\(program) \(program)

            """
    }

    private var zshCompletions: String {
        let lines = visible.map { option in
            let help = "[" + quoted(option.summary, for: "[]:") + "]"
            let action =
                option.parameter.map { parameter in
                    let choices =
                        switch parameter.choices {
                        case .nothing: ""
                        case .files: "_files"
                        case .values(let values): "(\(values.joined(separator: " ")))"
                        }
                    return ":\(parameter.name):\(choices)"
                } ?? ""
            let specifications = option.names.map { name -> String in
                switch option.argument {
                case .none: "'\(option.repeats ? "*" : "")\(name)\(help)'"
                case .required:
                    "'\(option.repeats ? "*" : "")\(name)\(name.hasPrefix("--") ? "=" : "+")\(help)\(action)'"
                case .optional: "'\(name)=-\(help):\(action)'"
                }
            }
            return specifications.map { "    \($0)" }.joined(separator: " \\\n")
        }
        let operands = operand == nil ? [] : ["    '*:file:_files'"]
        return "#compdef \(program)\n_arguments -s -S \\\n" + (lines + operands).joined(separator: " \\\n") + "\n"
    }

    private var fishCompletions: String {
        let lines = visible.map { option in
            var words = ["complete -c \(program)"]
            if let short = option.short { words.append("-s \(short)") }
            if let long = option.long { words.append("-l \(long)") }
            words.append("-d '\(quoted(option.summary, for: "'"))'")
            switch option.parameter?.choices {
            case nil: break
            case .nothing?: words.append("-x")
            case .files?: words.append("-r -F")
            case .values(let values)?: words.append("-x -a '\(values.joined(separator: " "))'")
            }
            return words.joined(separator: " ")
        }
        return "# Completion of \(program) for fish.\n"
            + (operand == nil ? "complete -c \(program) -f\n" : "") + lines.joined(separator: "\n") + "\n"
    }

    /// Returns text with a backslash before each of some characters; a quote ends neither form of text.
    private func quoted(_ text: String, for characters: String) -> String {
        text.map { character in
            if character == "'", !characters.contains("'") { return "'\\''" }
            return (characters.contains(character) || character == "\\" ? "\\" : "") + String(character)
        }.joined()
    }
}
