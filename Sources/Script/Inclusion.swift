/// Inclusion of other files.
extension Parser {
    /// Parses the file that a command includes; its statements become the command's block.
    mutating func including(_ call: CommandCall) throws(ScriptError) -> CommandCall {
        guard let argument = call.includedScript, let text = argument.literal else { return call }
        let isLibrary = Self.libraryName(text) != nil
        // A library that the script has already included is there.
        if isLibrary, !inclusions.libraries.insert(text).inserted { return call }
        let isComplete = isLibrary || text.first == UInt8(ascii: "/") || source.directory.isEmpty
        let path = isComplete ? text : source.directory + [UInt8(ascii: "/")] + text
        let shown = Escapes.visible(text)
        inclusions.count += 1
        guard inclusions.count <= Inclusions.maximum else {
            throw ScriptError(argument.range, "too many files in 'source' (limit \(Inclusions.maximum))")
        }
        guard including.count <= Self.deepestInclusion else {
            throw ScriptError(argument.range, "'source' is nested too deeply (limit \(Self.deepestInclusion))")
        }
        switch load(path) {
        case .failure(let failure):
            throw ScriptError(argument.range, "cannot read '\(shown)': \(failure.message)")
        case .success(let file):
            guard !including.contains(file.identity) else {
                throw ScriptError(argument.range, "'\(shown)' includes itself")
            }
            let included = SourceText(
                path: path, directory: isLibrary ? [] : directory(of: path), includedAt: call.range,
                identity: file.identity)
            var parser = Parser(
                source: included, commands: commands, load: load, including: including + [file.identity],
                inclusions: inclusions)
            for line in SourceText.lines(of: file.bytes) { parser.feed(line) }
            parser.finish()
            errors += parser.errors.prefix(max(0, ScriptErrors.maxKept - errors.count))
            var call = call
            call.block = parser.completed
            return call
        }
    }
}

extension Parser {
    /// Returns the name of the library that a path such as `<http>` stands for; nil for the path of a file.
    package static func libraryName(_ path: [UInt8]) -> String? {
        guard path.count > 2, path.first == UInt8(ascii: "<"), path.last == UInt8(ascii: ">") else { return nil }
        return String(decoding: path.dropFirst().dropLast(), as: UTF8.self)
    }
}

/// Returns the part of `path` before the last slash; empty if there is no slash.
package func directory(of path: [UInt8]) -> [UInt8] {
    guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return [] }
    return slash == 0 ? [UInt8(ascii: "/")] : Array(path[..<slash])
}

extension CommandCall {
    /// The argument with the path of a script to include here, or nil.
    fileprivate var includedScript: Argument? {
        for form in description.forms {
            for case .parameter(let parameter) in form.elements {
                if case .script = parameter.kind { return argument(parameter.name) }
            }
        }
        return nil
    }
}
