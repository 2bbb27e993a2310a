/// What people type who know other tools: returns the line that they mean here, or nil.
///
/// - Parameters:
///   - words: the words of a line that begins with an unknown command.
func meantLine(_ words: [String]) -> String? {
    guard let first = words.first else { return nil }
    let rest = Array(words.dropFirst())
    switch first.lowercased() {
    case "connect", "nc", "ncat", "netcat":
        return place(rest).map { "open a \($0)" }
    case "telnet":
        return rest.isEmpty ? nil : "open a telnet://\(place(rest) ?? rest[0])"
    case "wscat", "websocat": return rest.first.map { "open a \($0)" }
    case "?", "man": return rest.isEmpty ? "help" : "help \(rest[0])"
    case "ls", "ps", "jobs", "sessions", "who": return "list"
    case "q", "bye", ":q", "logout": return "quit"
    case "disconnect", "kill": return "close \(rest.first ?? "NAME")"
    case "echo", "puts": return "print \(rest.isEmpty ? "TEXT" : rest.joined(separator: " "))"
    default:
        if isPlace(first), rest.isEmpty { return "open a \(first)" }
        if let port = rest.first, rest.count == 1, UInt16(port) != nil, first.contains(".") || first == "localhost" {
            return "open a \(first):\(port)"
        }
        return nil
    }
}

/// Returns `HOST:PORT` for the words `HOST PORT` or `HOST:PORT`, without options; nil for other words.
private func place(_ words: [String]) -> String? {
    let words = words.filter { !$0.hasPrefix("-") }
    guard let host = words.first else { return nil }
    if isPlace(host) { return host }
    guard words.count > 1, UInt16(words[1]) != nil else { return nil }
    return "\(host):\(words[1])"
}

/// Whether a word is an address with a port or a scheme.
private func isPlace(_ word: String) -> Bool {
    if ["tcp", "tls", "udp", "ws", "wss", "telnet"].contains(where: { word.hasPrefix("\($0)://") }) { return true }
    if word.hasPrefix("unix:") || word.hasPrefix("serial:") { return true }
    guard let colon = word.lastIndex(of: ":"), let port = UInt16(word[word.index(after: colon)...]), port > 0 else {
        return false
    }
    let host = word[..<colon]
    return host.hasPrefix("[") && host.hasSuffix("]")
        || host.allSatisfy { $0.isLetter || $0.isNumber || $0 == "." || $0 == "-" || $0 == "_" }
}
