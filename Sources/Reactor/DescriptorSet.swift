import Glibc

/// A set of descriptors in the layout of select(2): one bit each, in machine words that grow past FD_SETSIZE.
///
/// The kernel accepts sets of any length; only the macros of the C library stop at 1024.
package struct DescriptorSet {
    private var words: [UInt] = []

    package init() {}

    /// The number of words in use; the set holds descriptors below `wordCount * UInt.bitWidth`.
    package var wordCount: Int { words.count }

    package func contains(_ descriptor: Int32) -> Bool {
        let (word, bit) = Self.position(of: descriptor)
        return word < words.count && words[word] & bit != 0
    }

    package mutating func insert(_ descriptor: Int32) {
        let (word, bit) = Self.position(of: descriptor)
        if word >= words.count {
            words.append(contentsOf: repeatElement(0, count: word + 1 - words.count))
        }
        words[word] |= bit
    }

    package mutating func remove(_ descriptor: Int32) {
        let (word, bit) = Self.position(of: descriptor)
        guard word < words.count else { return }
        words[word] &= ~bit
    }

    package mutating func removeAll() {
        for index in words.indices { words[index] = 0 }
    }

    /// The highest descriptor in the set, or nil if it is empty.
    package var highest: Int32? {
        guard let word = words.lastIndex(where: { $0 != 0 }) else { return nil }
        return Int32(word * UInt.bitWidth + UInt.bitWidth - 1 - words[word].leadingZeroBitCount)
    }

    /// Becomes a copy of `other`, at least `wordCount` words long. Allocates only if the capacity is too small.
    package mutating func copy(_ other: DescriptorSet, wordCount: Int) {
        words.removeAll(keepingCapacity: true)
        words.append(contentsOf: other.words)
        if words.count < wordCount {
            words.append(contentsOf: repeatElement(0, count: wordCount - words.count))
        }
    }

    /// The lowest member at or above `descriptor`, or nil.
    package func next(from descriptor: Int32) -> Int32? {
        var word = Int(descriptor) / UInt.bitWidth
        guard word < words.count else { return nil }
        var bits = words[word] & (UInt.max << UInt(Int(descriptor) % UInt.bitWidth))
        while bits == 0 {
            word += 1
            guard word < words.count else { return nil }
            bits = words[word]
        }
        return Int32(word * UInt.bitWidth + bits.trailingZeroBitCount)
    }

    /// Calls `body` with the words as the `fd_set` that select(2) reads and writes.
    package mutating func withDescriptorSet<Result>(_ body: (UnsafeMutablePointer<fd_set>?) -> Result) -> Result {
        words.withUnsafeMutableBytes { bytes in
            body(bytes.baseAddress?.assumingMemoryBound(to: fd_set.self))
        }
    }

    private static func position(of descriptor: Int32) -> (word: Int, bit: UInt) {
        let index = Int(descriptor)
        return (index / UInt.bitWidth, 1 << UInt(index % UInt.bitWidth))
    }
}
