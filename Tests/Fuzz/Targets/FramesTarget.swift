import Reactor
import Wire

/// A framing's name and a text, separated by a newline: the name is read without a trap and written as it was read; a
/// text that fits comes back from its frame, in any split.
enum FramesTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        let parts = input.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        // Few inputs are names: the others choose one.
        let names = FrameFormat.plainNames + ["until:ab", "until:aba"]
        let other = Array(names[Int(input.first ?? 0) % names.count].utf8)
        let name = Framing(Array(parts[0])) == nil ? other : Array(parts[0])
        guard let framing = Framing(name), let format = framing.format else { return }
        require(Framing(framing.name.losslessBytes) == framing, "the name of a framing means another one")
        let text = parts.count > 1 ? Array(parts[1].prefix(1000)) : []
        let isWhole = name.contains(UInt8(ascii: "@"))
        guard text.count <= framing.longest, !isWhole else { return }
        let stream = format.encoded(text)
        for size in [stream.count, 1, 3] {
            let found = lines(of: stream, framing, read: max(1, size))
            // A text that contains the end of its frame is several frames.
            let isOne = found == [text, []]
            let end = stream.count > text.count ? Array(stream.suffix(stream.count - text.count)) : []
            let endsItself =
                !end.isEmpty && stream.starts(with: text) && (text + end.dropLast()).firstRange(of: end) != nil
            require(isOne || endsItself, "a frame does not give its text back")
        }
    }
}
