import Foundation
import Reactor

/// A folder with certificates made by the openssl program for this test run:
///
///     ca.pem ca.key            an authority
///     server.pem server.key    signed by it, for localhost, 127.0.0.1 and ::1
///     other.pem other.key      signed by it, for other.test
///     expired.pem              like server.pem, but expired
///     client.pem client.key    signed by it, for client.test
///     self.pem self.key        self-signed, for localhost
///     locked.key               server.key, encrypted with the password secret
///     rsa.pem rsa.key          like server, with RSA keys
///     server.der server-key.der    the same in DER
///     server.p12 open.p12      both in PKCS#12: encrypted with the password secret, and without a password
///     old.p12                  the same, encrypted with a cipher that OpenSSL no longer has (RC2)
///     server.p7 server-der.p7  the certificate in PKCS#7
package enum Certificates {
    /// The folder, or nil if there is no openssl.
    package static let folder: URL? = {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "muxsh-certificates-\(ProcessInfo.processInfo.processIdentifier)")
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let process = ChildProgram()
        process.path = "/bin/sh"
        process.arguments = ["-e", "-c", script]
        process.folder = folder.path
        guard (try? process.run()) != nil else { return nil }
        process.waitUntilExit()
        atexit { try? Certificates.folder.map { try FileManager.default.removeItem(at: $0) } }
        return process.terminationStatus == 0 ? folder : nil
    }()

    /// Returns the path of one of its files.
    package static func path(_ name: String) -> SystemString {
        SystemString((folder?.appendingPathComponent(name).path ?? name).utf8) ?? ""
    }

    private static let script = """
        key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $1.key; }
        request() { openssl req -new -key $1.key -subj "/CN=$2" -out $1.csr; printf "subjectAltName=$3" > $1.ext; }
        sign() { openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile $1.ext -days $2 -out $3.pem; }
        key ca; openssl req -x509 -key ca.key -subj "/CN=Test authority" -days 30 -out ca.pem
        key server; request server localhost DNS:localhost,IP:127.0.0.1,IP:::1
        sign server 30 server; sign server -1 expired
        key other; request other other.test DNS:other.test; sign other 30 other
        key client; request client client.test DNS:client.test; sign client 30 client
        key self; openssl req -x509 -key self.key -subj "/CN=localhost" -addext subjectAltName=DNS:localhost -days 30 -out self.pem
        openssl pkey -in server.key -aes128 -passout pass:secret -out locked.key
        openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key
        request rsa localhost DNS:localhost; sign rsa 30 rsa
        openssl x509 -in server.pem -outform DER -out server.der
        openssl pkey -in server.key -outform DER -out server-key.der
        both() { openssl pkcs12 -export -in server.pem -inkey server.key "$@"; }
        both -passout pass:secret -out server.p12; both -passout pass: -out open.p12
        both -passout pass:secret -legacy -out old.p12
        openssl crl2pkcs7 -nocrl -certfile server.pem -out server.p7
        openssl crl2pkcs7 -nocrl -certfile server.pem -outform DER -out server-der.p7
        """
}
