import Script

/// Keeps the values of secrets out of all text that is shown or written: each is replaced by `${NAME}`.
package final class Redactor {
    private static let longestLine = 10_000

    private var secrets: [(name: String, value: [UInt8])] = []
    /// The names of computed secrets, oldest first. Only the newest are kept, so a loop that computes secrets needs a
    /// bounded amount of memory.
    private var derived: [[UInt8]] = []
    private static let maxDerived = 1000

    package init() {}

    package var isEmpty: Bool { secrets.isEmpty }

    /// Hides `value` from now on. A value of several lines is hidden line by line, because lines are shown
    /// individually.
    package func add(name: String, value: [UInt8]) {
        for line in value.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
            // As is, and in the notations of scripts, quoted arguments and failures.
            let escaped = Array(Escapes.escaped(Array(line)).utf8)
            let quoted = escaped.flatMap { $0 == UInt8(ascii: "\"") ? [UInt8(ascii: "\\"), $0] : [$0] }
            for form in [Array(line), escaped, quoted, Array(Escapes.visible(line).utf8)] {
                if !secrets.contains(where: { $0.value == form }) { secrets.append((name, form)) }
            }
        }
        // Longest first, because one secret may be part of another.
        secrets.sort { $0.value.count > $1.value.count }
    }

    /// Hides a value that was computed from a secret.
    package func add(derived value: [UInt8], name: String) {
        guard !secrets.contains(where: { $0.value == value }) else { return }
        if derived.count == Self.maxDerived {
            let oldest = derived.removeFirst()
            secrets.removeAll { $0.value == oldest }
        }
        derived.append(value)
        add(name: name, value: value)
    }

    /// Whether a secret occurs in `bytes`.
    package func occur(in bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { bytes in
            pieces(of: bytes, isCutBefore: false, isCutAfter: false).contains { piece in
                if case .secret = piece { true } else { false }
            }
        }
    }

    /// Returns where secrets are in `bytes`.
    package func secretRanges(in bytes: [UInt8]) -> [Range<Int>] {
        guard !isEmpty else { return [] }
        return bytes.withUnsafeBytes { bytes in
            ends(of: pieces(of: bytes, isCutBefore: false, isCutAfter: false)).compactMap { end, piece in
                if case .secret(_, let count) = piece { (end - count)..<end } else { nil }
            }
        }
    }

    /// Returns the runs of `bytes` that may be shown, and between them the names of the secrets they contained.
    ///
    /// Where the bytes are cut from longer data, part of a secret at the cut is hidden too.
    private func pieces(of bytes: UnsafeRawBufferPointer, isCutBefore: Bool, isCutAfter: Bool) -> [Piece] {
        var pieces: [Piece] = []
        var start = 0
        var index = 0
        if isCutBefore, let (name, length) = fragmentAtStart(of: bytes) {
            pieces.append(.secret(name, length))
            start = length
            index = length
        }
        while index < bytes.count {
            if isCutAfter, bytes.count - index < longest, let name = fragment(bytes[index...]) {
                if start < index { pieces.append(.plain(start..<index)) }
                return pieces + [.secret(name, bytes.count - index)]
            }
            if let secret = secrets.first(where: { isSecret($0.value, at: index, of: bytes) }) {
                if start < index { pieces.append(.plain(start..<index)) }
                pieces.append(.secret(secret.name, secret.value.count))
                index += secret.value.count
                start = index
            } else {
                index += 1
            }
        }
        if start < bytes.count { pieces.append(.plain(start..<bytes.count)) }
        return pieces
    }

    /// Returns the longest proper suffix of a secret, of at least four bytes, that `bytes` begins with, or nil.
    private func fragmentAtStart(of bytes: UnsafeRawBufferPointer) -> (name: String, length: Int)? {
        for secret in secrets where secret.value.count > Self.shortestFragment {
            for length in (Self.shortestFragment..<secret.value.count).reversed()
            where bytes.starts(with: secret.value.suffix(length)) {
                return (secret.name, length)
            }
        }
        return nil
    }

    /// Returns the name of the secret of which `bytes` is a proper prefix of at least four bytes, or nil.
    private func fragment(_ bytes: Slice<UnsafeRawBufferPointer>) -> String? {
        guard bytes.count >= Self.shortestFragment else { return nil }
        return secrets.first { $0.value.count > bytes.count && $0.value.starts(with: bytes) }?.name
    }

    private static let shortestFragment = 4

    /// Returns how many of the last bytes may be the beginning of a secret; the data that follows decides.
    package func undecided(_ bytes: [UInt8]) -> Int {
        guard !isEmpty else { return 0 }
        // Bytes of a whole secret are decided.
        var rest = 0
        bytes.withUnsafeBytes { bytes in
            for case (let end, .secret) in ends(of: pieces(of: bytes, isCutBefore: false, isCutAfter: false)) {
                rest = end
            }
        }
        for length in (1..<max(1, min(longest, bytes.count - rest + 1))).reversed() {
            let tail = bytes.suffix(length)
            if secrets.contains(where: { $0.value.count > length && $0.value.starts(with: tail) }) { return length }
        }
        return 0
    }

    /// Returns the pieces, each with its end position.
    private func ends(of pieces: [Piece]) -> [(Int, Piece)] {
        var position = 0
        return pieces.map { piece in
            switch piece {
            case .plain(let range): position = range.upperBound
            case .secret(_, let count): position += count
            }
            return (position, piece)
        }
    }

    /// The length of the longest secret; secrets are sorted by length.
    private var longest: Int { secrets.first?.value.count ?? 0 }

    private enum Piece {
        case plain(Range<Int>)
        /// The name, and the number of bytes it replaces.
        case secret(String, Int)
    }

    /// Writes received or sent bytes in the notation of arrow lines, with secrets replaced.
    ///
    /// `isCutBefore` and `isCutBehind` mean that the bytes are part of a line: part of a secret at the cut is hidden
    /// too.
    package func appendEscaped(
        _ bytes: UnsafeRawBufferPointer, to output: inout [UInt8], isCutBefore: Bool, isCutAfter: Bool
    ) {
        guard !isEmpty else { return Escapes.append(bytes, to: &output, endsLine: !isCutAfter) }
        for piece in pieces(of: bytes, isCutBefore: isCutBefore, isCutAfter: isCutAfter) {
            switch piece {
            case .plain(let range):
                let endsLine = !isCutAfter && range.upperBound == bytes.count
                Escapes.append(UnsafeRawBufferPointer(rebasing: bytes[range]), to: &output, endsLine: endsLine)
            case .secret(let name, _): output += "${\(name)}".utf8
            }
        }
    }

    /// Returns `text` with secrets replaced.
    package func redacted(_ text: String) -> String {
        isEmpty ? text : String(lossless: redacted(text.losslessBytes))
    }

    /// Returns readable text: secrets are replaced, and then long lines are cut.
    package func readable(_ text: String) -> String {
        redacted(text).split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let scalars = line.unicodeScalars
            guard scalars.count > Self.longestLine else { return String(line) }
            let start = String(String.UnicodeScalarView(scalars.prefix(Self.longestLine)))
            return "\(start)… (\(scalars.count - Self.longestLine) more characters)"
        }.joined(separator: "\n")
    }

    /// Returns `bytes` with secrets replaced.
    package func redacted(_ bytes: [UInt8]) -> [UInt8] {
        guard !isEmpty else { return bytes }
        return bytes.withUnsafeBytes { redacted($0, isCutBefore: false, isCutAfter: false) }
    }

    /// Returns `bytes`, which may be part of a line, with secrets replaced.
    package func redacted(_ bytes: UnsafeRawBufferPointer, isCutBefore: Bool, isCutAfter: Bool) -> [UInt8] {
        guard !isEmpty else { return Array(bytes) }
        return pieces(of: bytes, isCutBefore: isCutBefore, isCutAfter: isCutAfter).flatMap { piece -> [UInt8] in
            switch piece {
            case .plain(let range): Array(bytes[range])
            case .secret(let name, _): Array("${\(name)}".utf8)
            }
        }
    }

    /// Writes received bytes in the notation of arrow lines. `before` and `after` are the bytes around them: part of a
    /// secret is replaced by the secret's name.
    package func appendEscaped(
        _ bytes: [UInt8], between before: [UInt8], and after: [UInt8], to output: inout [UInt8], endsLine: Bool = true
    ) {
        let (before, after) = (before.suffix(longest), after.prefix(longest))
        let all = Array(before) + bytes + Array(after)
        let window = before.count..<(before.count + bytes.count)
        for (end, piece) in ends(of: all.withUnsafeBytes { pieces(of: $0, isCutBefore: true, isCutAfter: true) }) {
            switch piece {
            case .plain(let range):
                let shown = range.clamped(to: window)
                all.withUnsafeBytes { all in
                    Escapes.append(
                        UnsafeRawBufferPointer(rebasing: all[shown]), to: &output,
                        endsLine: endsLine && shown.upperBound == window.upperBound)
                }
            case .secret(let name, let count):
                if (end - count..<end).overlaps(window) { output += "${\(name)}".utf8 }
            }
        }
    }

    private func isSecret(_ value: [UInt8], at index: Int, of bytes: UnsafeRawBufferPointer) -> Bool {
        index + value.count <= bytes.count && bytes[index] == value[0]
            && bytes[index..<(index + value.count)].elementsEqual(value)
    }
}
