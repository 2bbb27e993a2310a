import COpenSSL
import CZlib
import Script

extension Call {
    /// Digests and functions with a key, by OpenSSL (EVP_Digest(3), HMAC(3), PKCS5_PBKDF2_HMAC(3)) and zlib.
    func digest() throws(Functions.Failure) -> [UInt8] {
        switch function {
        case .md5: return try digest(EVP_md5())
        case .sha1: return try digest(EVP_sha1())
        case .sha256: return try digest(EVP_sha256())
        case .sha512: return try digest(EVP_sha512())
        case .hmacSHA1: return try authenticated(EVP_sha1())
        case .hmacSHA256: return try authenticated(EVP_sha256())
        case .xor: return try exclusiveOr()
        case .crc32: return checksum
        default: return try derivedKey(rounds: try integer(1))
        }
    }

    private func digest(_ type: OpaquePointer?) throws(Functions.Failure) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        guard EVP_Digest(value, value.count, &result, &count, type, nil) == 1 else { throw unavailable }
        return Array(result.prefix(Int(count)))
    }

    private func authenticated(_ type: OpaquePointer?) throws(Functions.Failure) -> [UInt8] {
        let key = arguments[0]
        var result = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        guard let length = Int32(exactly: key.count),
            HMAC(type, key, length, value, value.count, &result, &count) != nil
        else { throw unavailable }
        return Array(result.prefix(Int(count)))
    }

    private func derivedKey(rounds: Int) throws(Functions.Failure) -> [UInt8] {
        let salt = arguments[0]
        var result = [UInt8](repeating: 0, count: 32)
        let password = value.map { CChar(bitPattern: $0) }
        guard let length = Int32(exactly: value.count), let saltLength = Int32(exactly: salt.count),
            PKCS5_PBKDF2_HMAC(password, length, salt, saltLength, Int32(rounds), EVP_sha256(), 32, &result) == 1
        else { throw unavailable }
        return result
    }

    private var unavailable: Functions.Failure {
        Functions.Failure(message: "\(function.rawValue): not available in this OpenSSL")
    }

    private func exclusiveOr() throws(Functions.Failure) -> [UInt8] {
        let key = arguments[0]
        guard !key.isEmpty else { throw Functions.Failure(message: "xor: KEY is empty") }
        return value.indices.map { value[$0] ^ key[$0 % key.count] }
    }

    private var checksum: [UInt8] {
        let sum = value.withUnsafeBufferPointer { crc32_z(0, $0.baseAddress, $0.count) }
        // The initial value of an empty buffer is that of no buffer.
        let number = value.isEmpty ? 0 : UInt32(truncatingIfNeeded: sum)
        return (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
    }
}
