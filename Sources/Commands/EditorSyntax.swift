import Script

/// Syntax files for editors, made from the table of commands.
package struct EditorSyntax {
    /// The editors that have one.
    package enum Editor: String, CaseIterable, Sendable {
        case vim, textmate, nano

        /// The name of its file.
        package var file: String {
            switch self {
            case .vim: "muxsh.vim"
            case .textmate: "muxsh.tmLanguage.json"
            case .nano: "muxsh.nanorc"
            }
        }
    }

    /// The commands, the other keywords, and the functions on values.
    private let commands: [String]
    private let keywords: [String]
    private let functions: [String]

    package init(_ table: CommandTable) {
        commands = table.descriptions.map(\.name).sorted()
        functions = ValueFunction.allCases.map(\.rawValue).sorted()
        let used = Set(table.descriptions.flatMap(\.keywords))
        keywords = used.union(["else", "branch", "and", "or", "not", "defined", "within", "in"])
            .subtracting(commands).sorted()
    }

    /// Returns the syntax file of an editor.
    package func text(for editor: Editor) -> String {
        switch editor {
        case .vim: vim
        case .textmate: textMate
        case .nano: nano
        }
    }

    private var vim: String {
        """
        " Vim syntax file for muxsh scripts, made by scripts/manual.
        if exists("b:current_syntax")
          finish
        endif
        syntax iskeyword @,48-57,_,-
        syntax match muxshStart /^\\s*/ nextgroup=muxshCommand,muxshTarget
        syntax keyword muxshCommand contained \(commands.joined(separator: " "))
        syntax keyword muxshKeyword \(keywords.joined(separator: " "))
        syntax match muxshTarget contained /[A-Za-z_*?${}.,0-9-]\\+\\ze\\(>|\\|> \\|>$\\|<|\\|<\\~\\|< \\|<$\\)/ nextgroup=muxshArrow
        syntax match muxshArrow contained /[<>][|~]\\?/ nextgroup=muxshText
        syntax match muxshText contained /.*$/ contains=muxshVariable,muxshEscape
        syntax region muxshString start=/"/ skip=/\\\\./ end=/"/ contains=muxshVariable,muxshEscape
        syntax region muxshString start=/'/ end=/'/
        syntax region muxshRegex start=/\\(^\\|\\s\\)\\zs\\/\\S/ skip=/\\\\./ end=/\\/[ims]*/ oneline contains=muxshVariable
        syntax match muxshEscape contained /\\\\\\(x\\x\\x\\|u{\\x\\+}\\|.\\)/
        syntax match muxshVariable /\\${[^}]*}/ contains=muxshFunction
        syntax match muxshFunction contained /:\\zs\\(\(functions.joined(separator: "\\|"))\\)\\ze[:(}]/
        syntax match muxshOption /\\s\\zs--\\?[a-z][a-z-]*/
        syntax match muxshNumber /\\<\\(0x\\x\\+\\|\\d\\+\\(ms\\|us\\|s\\|m\\|h\\|KiB\\|MiB\\|GiB\\)\\?\\)\\>/
        syntax match muxshComment /\\(^\\|\\s\\)\\zs#.*$/
        highlight default link muxshCommand Statement
        highlight default link muxshKeyword Keyword
        highlight default link muxshTarget Identifier
        highlight default link muxshArrow Operator
        highlight default link muxshText String
        highlight default link muxshString String
        highlight default link muxshRegex Special
        highlight default link muxshEscape SpecialChar
        highlight default link muxshVariable PreProc
        highlight default link muxshFunction Function
        highlight default link muxshOption Type
        highlight default link muxshNumber Number
        highlight default link muxshComment Comment
        let b:current_syntax = "muxsh"

        """
    }

    private var textMate: String {
        let rules: [(name: String, match: String)] = [
            ("comment.line.number-sign", #"(?:^|\s)#.*$"#),
            ("string.quoted.double", #""(?:\\.|[^"\\])*""#),
            ("string.quoted.single", "'[^']*'"),
            ("string.regexp", #"(?<=\s)/\S(?:\\.|[^/\\])*/[ims]*"#),
            ("variable.other", #"\$\{[^}]*\}"#),
            ("keyword.control", "^\\s*(?:\(commands.joined(separator: "|")))(?=\\s|$)"),
            ("entity.name.tag", #"^\s*[A-Za-z_*?${}.,0-9-]+(?=[<>])"#),
            ("keyword.operator", #"[<>][|~]?(?=\s|$)"#),
            ("keyword.other", "(?<=\\s)(?:\(keywords.joined(separator: "|")))(?=\\s|$)"),
            ("storage.modifier", #"(?<=\s)--?[a-z][a-z-]*"#),
            ("constant.numeric", #"\b(?:0x[0-9a-fA-F]+|\d+(?:ms|us|s|m|h|KiB|MiB|GiB)?)\b"#),
        ]
        let patterns = rules.map { rule in
            "    { \"name\": \"\(rule.name).muxsh\", \"match\": \"\(escaped(rule.match))\" }"
        }
        return """
            {
              "name": "muxsh",
              "scopeName": "source.muxsh",
              "fileTypes": ["mux", "inc"],
              "comment": "Made by scripts/manual.",
              "patterns": [
            \(patterns.joined(separator: ",\n"))
              ]
            }

            """
    }

    private var nano: String {
        """
        ## Syntax of muxsh scripts for nano, made by scripts/manual.
        syntax muxsh "\\.mux$"
        comment "#"
        color brightyellow "^[[:space:]]*[A-Za-z_*?.,0-9-]+[<>][|~]?"
        color brightblue "^[[:space:]]*(\(commands.joined(separator: "|")))([[:space:]]|$)"
        color cyan "[[:space:]](\(keywords.joined(separator: "|")))([[:space:]]|$)"
        color yellow "[[:space:]]--?[a-z][a-z-]*"
        color green "\\"(\\\\.|[^\\"\\\\])*\\""
        color green "'[^']*'"
        color magenta "\\$\\{[^}]*\\}"
        color brightblack "(^|[[:space:]])#.*$"

        """
    }

    /// Returns a text as the inside of a JSON string.
    private func escaped(_ text: String) -> String {
        text.replacing("\\", by: "\\\\").replacing("\"", by: "\\\"")
    }
}
