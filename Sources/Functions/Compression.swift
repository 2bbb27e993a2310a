import CZlib
import Script

extension Call {
    /// gzip (RFC 1952) and zlib (RFC 1950) by zlib; `limit` is the largest size of decompressed data.
    func compression(limit: Int) throws(Functions.Failure) -> [UInt8] {
        switch function {
        case .gzip: try deflated(windowBits: 15 + 16)
        case .zlib: try deflated(windowBits: 15)
        case .fromGzip: try inflated(windowBits: 15 + 16, limit: limit)
        default: try inflated(windowBits: 15, limit: limit)
        }
    }

    private func deflated(windowBits: Int32) throws(Functions.Failure) -> [UInt8] {
        var stream = z_stream()
        guard c_deflateInit(&stream, windowBits) == Z_OK else { throw outOfMemory }
        defer { deflateEnd(&stream) }
        var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(value.count))))
        let status = run(&stream, input: value, output: &output) { deflate($0, Z_FINISH) }
        guard status == Z_STREAM_END else { throw outOfMemory }
        return Array(output.prefix(Int(stream.total_out)))
    }

    private func inflated(windowBits: Int32, limit: Int) throws(Functions.Failure) -> [UInt8] {
        var result: [UInt8] = []
        var rest = value
        repeat {
            guard result.isEmpty || rest.starts(with: [0x1F, 0x8B]) else { throw failure("has data after its end") }
            var stream = z_stream()
            guard c_inflateInit(&stream, windowBits) == Z_OK else { throw outOfMemory }
            defer { inflateEnd(&stream) }
            var output = [UInt8](repeating: 0, count: min(max(4 * rest.count, 4096), limit - result.count) + 1)
            var status = run(&stream, input: rest, output: &output) { inflate($0, Z_NO_FLUSH) }
            while status == Z_OK || status == Z_BUF_ERROR, Int(stream.total_out) == output.count {
                guard result.count + output.count <= limit else { throw tooLarge(limit) }
                let grown = min(2 * output.count, limit - result.count + 1)
                output += [UInt8](repeating: 0, count: grown - output.count)
                status = resume(&stream, input: rest, output: &output)
            }
            guard status == Z_STREAM_END else { throw failure("is not complete \(format) data") }
            result += output.prefix(Int(stream.total_out))
            guard result.count <= limit else { throw tooLarge(limit) }
            rest = Array(rest.dropFirst(Int(stream.total_in)))
            // A gzip file may have several members (RFC 1952, section 2.2).
        } while !rest.isEmpty && function == .fromGzip
        guard rest.isEmpty else { throw failure("has data after its end") }
        return result
    }

    private var format: String { function == .fromGzip ? "gzip" : "zlib" }

    private var outOfMemory: Functions.Failure {
        Functions.Failure(message: "\(function.rawValue): zlib has no memory")
    }

    private func tooLarge(_ limit: Int) -> Functions.Failure {
        Functions.Failure(message: "\(function.rawValue): the result is larger than the inbox limit (\(limit) bytes)")
    }

    private func run(
        _ stream: inout z_stream, input: [UInt8], output: inout [UInt8],
        _ step: (UnsafeMutablePointer<z_stream>) -> Int32
    ) -> Int32 {
        var input = input
        return input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                let (read, written) = (Int(stream.total_in), Int(stream.total_out))
                stream.next_in = input.baseAddress.map { $0 + read }
                stream.avail_in = UInt32(input.count - read)
                stream.next_out = output.baseAddress.map { $0 + written }
                stream.avail_out = UInt32(output.count - written)
                return step(&stream)
            }
        }
    }

    private func resume(_ stream: inout z_stream, input: [UInt8], output: inout [UInt8]) -> Int32 {
        run(&stream, input: input, output: &output) { inflate($0, Z_NO_FLUSH) }
    }
}
