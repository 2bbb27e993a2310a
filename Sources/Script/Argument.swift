/// One argument of a command line.
package struct Argument {
    package enum Style {
        case bare, doubleQuoted, singleQuoted
        case regex(flags: String)
        /// A heredoc, `<<END`: the lines up to the mark.
        case heredoc
    }

    package let style: Style
    package let template: Template
    package let range: SourceRange

    package init(style: Style, template: Template, range: SourceRange) {
        self.style = style
        self.template = template
        self.range = range
    }

    /// Whether the argument was written as a regex.
    package var isRegex: Bool {
        if case .regex = style { return true }
        return false
    }

    /// Whether the argument was written as a heredoc.
    package var isHeredoc: Bool {
        if case .heredoc = style { return true }
        return false
    }

    /// The bytes if they are known before the run, otherwise nil.
    package var literal: [UInt8]? { template.literal }

    /// The text of an argument without quotes and variables, as required for keywords, options and `{`; otherwise nil.
    package var bareLiteral: String? {
        if case .bare = style { return template.literalText }
        return nil
    }
}
