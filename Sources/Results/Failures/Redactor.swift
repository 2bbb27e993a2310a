import Script

/// Keeps the values of secrets out of everything that is shown or written: each is replaced by `${NAME}`.
package final class Redactor {
    private static let longestLine = 10_000

    private var secrets: [(name: String, value: [UInt8])] = []

    package init() {}

    package var isEmpty: Bool { secrets.isEmpty }

    /// Hides `value` from now on. A value of several lines is hidden line by line, since lines are shown alone.
    package func add(name: String, value: [UInt8]) {
        for line in value.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
            // As it is, and as scripts, quoted words and failures write it.
            let escaped = Array(Escapes.escaped(Array(line)).utf8)
            let quoted = escaped.flatMap { $0 == UInt8(ascii: "\"") ? [UInt8(ascii: "\\"), $0] : [$0] }
            for form in [Array(line), escaped, quoted, Array(Escapes.visible(line).utf8)] {
                if !secrets.contains(where: { $0.value == form }) { secrets.append((name, form)) }
            }
        }
        // The longest first: one secret may be part of another.
        secrets.sort { $0.value.count > $1.value.count }
    }

    /// The runs of `bytes` that may be shown, and between them the names of the secrets that stood there.
    ///
    /// Where the bytes are cut out of more, a piece of a secret at the cut is hidden too.
    private func pieces(of bytes: UnsafeRawBufferPointer, isCutBefore: Bool, isCutBehind: Bool) -> [Piece] {
        var pieces: [Piece] = []
        var start = 0
        var index = 0
        if isCutBefore, let (name, length) = fragmentAtStart(of: bytes) {
            pieces.append(.secret(name, length))
            start = length
            index = length
        }
        while index < bytes.count {
            if isCutBehind, bytes.count - index < longest, let name = fragment(bytes[index...]) {
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

    /// The longest end of a secret, of four bytes or more but not all of it, that `bytes` begin with.
    private func fragmentAtStart(of bytes: UnsafeRawBufferPointer) -> (name: String, length: Int)? {
        for secret in secrets where secret.value.count > Self.shortestFragment {
            for length in (Self.shortestFragment..<secret.value.count).reversed()
            where bytes.starts(with: secret.value.suffix(length)) {
                return (secret.name, length)
            }
        }
        return nil
    }

    /// The secret that `bytes`, four or more but not all of it, are the beginning of.
    private func fragment(_ bytes: Slice<UnsafeRawBufferPointer>) -> String? {
        guard bytes.count >= Self.shortestFragment else { return nil }
        return secrets.first { $0.value.count > bytes.count && $0.value.starts(with: bytes) }?.name
    }

    private static let shortestFragment = 4

    /// How many of the last bytes may be the beginning of a secret, so that what follows decides what they are.
    package func undecided(_ bytes: [UInt8]) -> Int {
        guard !isEmpty else { return 0 }
        // What stands in a whole secret is decided.
        var rest = 0
        bytes.withUnsafeBytes { bytes in
            for case (let end, .secret) in ends(of: pieces(of: bytes, isCutBefore: false, isCutBehind: false)) {
                rest = end
            }
        }
        for length in (1..<max(1, min(longest, bytes.count - rest + 1))).reversed() {
            let tail = bytes.suffix(length)
            if secrets.contains(where: { $0.value.count > length && $0.value.starts(with: tail) }) { return length }
        }
        return 0
    }

    /// Pieces, each with the position at which it ends.
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

    /// The longest secret; they are sorted by length.
    private var longest: Int { secrets.first?.value.count ?? 0 }

    private enum Piece {
        case plain(Range<Int>)
        /// The name, and how many bytes stood there.
        case secret(String, Int)
    }

    /// Writes received or sent bytes in the notation of arrow lines, with the secrets replaced.
    ///
    /// `isCutBefore` and `isCutBehind` say that the bytes are a part of a line: a piece of a secret there is hidden too.
    package func appendEscaped(
        _ bytes: UnsafeRawBufferPointer, to output: inout [UInt8], isCutBefore: Bool, isCutBehind: Bool
    ) {
        guard !isEmpty else { return Escapes.append(bytes, to: &output, endsLine: !isCutBehind) }
        for piece in pieces(of: bytes, isCutBefore: isCutBefore, isCutBehind: isCutBehind) {
            switch piece {
            case .plain(let range):
                let endsLine = !isCutBehind && range.upperBound == bytes.count
                Escapes.append(UnsafeRawBufferPointer(rebasing: bytes[range]), to: &output, endsLine: endsLine)
            case .secret(let name, _): output += "${\(name)}".utf8
            }
        }
    }

    /// `text` with the secrets replaced.
    package func redacted(_ text: String) -> String {
        isEmpty ? text : String(lossless: redacted(text.losslessBytes))
    }

    /// A text for a person: the secrets replaced, and long lines cut behind that.
    package func readable(_ text: String) -> String {
        redacted(text).split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let scalars = line.unicodeScalars
            guard scalars.count > Self.longestLine else { return String(line) }
            let start = String(String.UnicodeScalarView(scalars.prefix(Self.longestLine)))
            return "\(start)… (\(scalars.count - Self.longestLine) more characters)"
        }.joined(separator: "\n")
    }

    /// `bytes` with the secrets replaced.
    package func redacted(_ bytes: [UInt8]) -> [UInt8] {
        guard !isEmpty else { return bytes }
        return bytes.withUnsafeBytes { redacted($0, isCutBefore: false, isCutBehind: false) }
    }

    /// The same of bytes that may be a part of a line.
    package func redacted(_ bytes: UnsafeRawBufferPointer, isCutBefore: Bool, isCutBehind: Bool) -> [UInt8] {
        guard !isEmpty else { return Array(bytes) }
        return pieces(of: bytes, isCutBefore: isCutBefore, isCutBehind: isCutBehind).flatMap { piece -> [UInt8] in
            switch piece {
            case .plain(let range): Array(bytes[range])
            case .secret(let name, _): Array("${\(name)}".utf8)
            }
        }
    }

    /// Writes received bytes in the notation of arrow lines, where `before` and `after` stand around them: a piece of a secret
    /// is replaced by the secret's name.
    package func appendEscaped(_ bytes: [UInt8], between before: [UInt8], and after: [UInt8], to output: inout [UInt8])
    {
        let (before, after) = (before.suffix(longest), after.prefix(longest))
        let all = Array(before) + bytes + Array(after)
        let window = before.count..<(before.count + bytes.count)
        for (end, piece) in ends(of: all.withUnsafeBytes { pieces(of: $0, isCutBefore: true, isCutBehind: true) }) {
            switch piece {
            case .plain(let range): output += Escapes.escaped(Array(all[range.clamped(to: window)])).utf8
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
