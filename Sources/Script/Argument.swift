/// One word of a command line.
package struct Argument {
    package enum Style {
        case bare, doubleQuoted, singleQuoted
        case regex(flags: String)
        /// The lines up to a mark: `<<END`.
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

    /// Whether it was written as a regex.
    package var isRegex: Bool {
        if case .regex = style { return true }
        return false
    }

    /// Whether it was written as a heredoc.
    package var isHeredoc: Bool {
        if case .heredoc = style { return true }
        return false
    }

    /// The bytes, when they are known before the run.
    package var literal: [UInt8]? { template.literal }

    /// The text of a word without quotes and variables: what a keyword, an option or a `{` must be.
    package var bareLiteral: String? {
        if case .bare = style { return template.literalText }
        return nil
    }
}
