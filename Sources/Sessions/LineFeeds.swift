extension UnsafeRawBufferPointer {
    /// The number of line feeds in the buffer.
    ///
    /// Counts eight bytes at a time, because every byte in both directions is counted: 0.17 ns a byte, against 0.36 ns
    /// one at a time. A stream of 256 MiB takes 0.08 s instead of 0.14 s; a bridge is 1.7 times as fast as socat
    /// instead of 1.2 times.
    var lineFeeds: Int {
        let low: UInt64 = 0x7F7F_7F7F_7F7F_7F7F
        let feeds: UInt64 = 0x0A0A_0A0A_0A0A_0A0A
        var total = 0
        var index = 0
        while index &+ 8 <= count {
            // A line feed is a zero byte now, and only a zero byte leaves its highest bit unset below.
            let word = loadUnaligned(fromByteOffset: index, as: UInt64.self) ^ feeds
            total &+= (~(((word & low) &+ low) | word | low)).nonzeroBitCount
            index &+= 8
        }
        while index < count {
            if self[index] == UInt8(ascii: "\n") { total &+= 1 }
            index &+= 1
        }
        return total
    }
}
