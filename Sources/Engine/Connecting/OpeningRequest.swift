import Sessions
import Sockets
import Wire

/// The arguments of `open`.
package struct OpeningRequest {
    let name: String
    let address: Address
    /// The local address, or nil for any.
    let bind: Address?
    /// The session whose TLS session is resumed, or nil.
    let resumed: String?
    /// The proxies on the way, the nearest first.
    let proxies: [Proxy]
    /// The version of the PROXY header to send, or nil.
    let proxyHeader: ProxyHeader.Version?
    let lineEnding: LineEnding?
    let framing: Framing?
    let tls: TLSOptions
    let webSocket: WebSocketSettings
    let serial: SerialSettings
    /// The --retry time as written, or nil to try once.
    let retry: String?
    /// The time limit for all attempts.
    let limit: Duration
    /// The time limit for each attempt.
    let attemptLimit: Duration

    package init(
        name: String, address: Address, bind: Address?, resumed: String? = nil, proxies: [Proxy] = [],
        proxyHeader: ProxyHeader.Version? = nil,
        lineEnding: LineEnding?, framing: Framing?, tls: TLSOptions, webSocket: WebSocketSettings = WebSocketSettings(),
        serial: SerialSettings = SerialSettings(),
        retry: String?, limit: Duration, attemptLimit: Duration
    ) {
        self.name = name
        self.address = address
        self.bind = bind
        self.resumed = resumed
        self.proxies = proxies
        self.proxyHeader = proxyHeader
        self.lineEnding = lineEnding
        self.framing = framing
        self.tls = tls
        self.webSocket = webSocket
        self.serial = serial
        self.retry = retry
        self.limit = limit
        self.attemptLimit = attemptLimit
    }
}
