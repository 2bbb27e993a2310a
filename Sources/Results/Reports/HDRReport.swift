import Functions
import Glibc
import Histogram
import Reactor
import Script

/// Writes the run times of `time` blocks as a log of HdrHistogram, format 1.3: an interval for each name, tagged with
/// it, in nanoseconds. Tools that read this format merge and plot the logs of many machines.
package final class HDRReport: Report {
    private let write: ([UInt8]) -> Void
    /// A point in time of the loop's clock, and the same in seconds since 1970.
    private let now: Instant
    private let unixTime: Double

    package init(now: Instant, write: @escaping ([UInt8]) -> Void) {
        self.write = write
        self.now = now
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        unixTime = Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        line("#[Histogram log format version 1.3]")
        line("#[StartTime: \(fixed(unixTime, digits: 3)) (seconds since epoch)]")
        line(#""StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram""#)
    }

    package func add(_ record: TestResults.Record) {}
    package func addScript(_ name: String) {}
    package func add(_ failure: Failure, endsRun: Bool) {}
    package func end(status: Int32, skipReason reason: String?) {}

    package func add(_ intervals: [Latencies.Interval]) {
        for interval in intervals {
            guard let histogram = Self.encoded(interval.histogram) else { continue }
            // A comma would end the tag.
            let tag = interval.name.utf8.map { isNameByte($0) ? $0 : UInt8(ascii: "_") }
            let start = unixTime + (interval.began - now).inSeconds
            let maximum = Double(interval.histogram.max) / 1e6
            line(
                "Tag=\(String(decoding: tag, as: UTF8.self)),\(fixed(start, digits: 3)),"
                    + "\(fixed(interval.length.inSeconds, digits: 3)),\(fixed(maximum, digits: 3)),\(histogram)")
        }
    }

    private func line(_ text: String) { write(Array((text + "\n").utf8)) }

    // MARK: The V2 encoding (HdrHistogram: AbstractHistogram.encodeIntoCompressedByteBuffer)

    /// The numbers that begin an encoded histogram, and the same compressed.
    private static let cookie: UInt32 = 0x1C84_9313
    private static let compressedCookie: UInt32 = 0x1C84_9314
    /// A day in nanoseconds: histograms of the same range can be merged by every tool.
    private static let highest: UInt64 = 86_400_000_000_000

    /// Returns a histogram compressed and in base64; nil if zlib has no memory.
    private static func encoded(_ histogram: Histogram<UInt64>) -> String? {
        let counts = encodedCounts(of: histogram)
        var bytes = bigEndian(cookie) + bigEndian(UInt32(counts.count)) + bigEndian(UInt32(0)) + bigEndian(UInt32(3))
        bytes += bigEndian(UInt64(1)) + bigEndian(max(highest, histogram.max)) + bigEndian((1.0).bitPattern) + counts
        do throws(Functions.Failure) {
            let packed = try Functions.apply(.zlib, to: bytes, [], outputLimit: .max)
            let all = bigEndian(compressedCookie) + bigEndian(UInt32(packed.count)) + packed
            return String(decoding: Functions.base64(all), as: UTF8.self)
        } catch {
            return nil
        }
    }

    /// The counts in the order of their buckets; a negative number is that many zeros.
    private static func encodedCounts(of histogram: Histogram<UInt64>) -> [UInt8] {
        var bytes: [UInt8] = []
        var next = 0
        for (value, count) in histogram.recordedValues().map({ ($0.value, $0.count) }) where count > 0 {
            let index = index(of: value)
            if index - next == 1 { bytes += number(0) } else if index > next { bytes += number(next - index) }
            bytes += number(Int(count))
            next = index + 1
        }
        return bytes
    }

    /// The place of a value: 2048 values of one unit each, then 1024 for each doubling.
    private static func index(of value: UInt64) -> Int {
        let bucket = 53 - (value | 2047).leadingZeroBitCount
        return (bucket + 1) << 10 + Int(value >> UInt64(bucket)) - 1024
    }

    /// A number in ZigZag and LEB128.
    private static func number(_ value: Int) -> [UInt8] {
        Functions.varint(UInt64(bitPattern: Int64(value << 1 ^ value >> 63)))
    }

    private static func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}
