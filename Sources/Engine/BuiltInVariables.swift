import Glibc
import Reactor
import Results
import Script

/// The built-in variables (muxsh(5), Variables), except those of blocks and strands.
extension World {
    /// Returns the value of a built-in variable, or nil if `name` is not one.
    package func builtIn(_ name: String, _ range: SourceRange) throws(Failure) -> [UInt8]? {
        if name == "line" { return Array(String(range.line).utf8) }
        if name == "file" { return range.source.path }
        if name == "dir" { return range.source.directory.isEmpty ? [UInt8(ascii: ".")] : range.source.directory }
        if name == "now" { return Array(String(Int(Self.unixTime * 1000)).utf8) }
        if name == "elapsed" {
            return Array("\(fixed((loop.readClock() - beganAt).inSeconds, digits: 6))s".utf8)
        }
        if name == "random" { return Array(String(random.next()).utf8) }
        if name == "bad.port" { return Array(String(try ports.refused()).utf8) }
        if name.hasPrefix("port.") { return Array(String(try ports.free(String(name.dropFirst(5)))).utf8) }
        if name.hasSuffix(".port"), let address = address(of: String(name.dropLast(5))), !address.hasPrefix("unix:") {
            // The path of a WebSocket may hold colons.
            let separator = "://"
            let start = address.range(of: separator)?.upperBound ?? address.startIndex
            let place = address[start...].prefix { $0 != "/" }
            return place.lastIndex(of: ":").map { Array(place[place.index(after: $0)...].utf8) }
        }
        if name.hasSuffix(".address"), let address = address(of: String(name.dropLast(8))) {
            return address.losslessBytes
        }
        if name.hasSuffix(".peer"), let channel = sessions[String(name.dropLast(5))]?.channel, channel.isShared {
            return channel.recipient?.description.losslessBytes
        }
        if name.hasSuffix(".source"), let source = sessions[String(name.dropLast(7))]?.source {
            return Array(source.utf8)
        }
        if name.hasSuffix(".path"), let socket = sessions[String(name.dropLast(5))]?.channel.webSocket {
            return Array(socket.path.utf8)
        }
        if name.hasSuffix(".protocol"), let socket = sessions[String(name.dropLast(9))]?.channel.webSocket {
            return Array((socket.chosenProtocol ?? "").utf8)
        }
        if name.hasSuffix(".cursor.row"), let screen = sessions[String(name.dropLast(11))]?.screen {
            return Array(String(screen.cursor.row).utf8)
        }
        if name.hasSuffix(".cursor.column"), let screen = sessions[String(name.dropLast(14))]?.screen {
            return Array(String(screen.cursor.column).utf8)
        }
        if name.hasSuffix(".screen"), let lines = sessions[String(name.dropLast(7))]?.screenLines {
            return Array(lines.joined(separator: "\n").utf8)
        }
        if name.hasSuffix(".fd"), let place = sessions.service(named: String(name.dropLast(3))) as? ReservedPlace {
            return place.descriptor.map { Array(String($0).utf8) }
        }
        if name.hasSuffix(".pid"), let child = sessions[String(name.dropLast(4))]?.child {
            return Array(String(child.number).utf8)
        }
        if let figure = TimeFigure(name), let value = latencies.value(of: figure) { return Array(value.utf8) }
        if let fact = TLSFact(name), let tls = sessions[fact.session]?.channel.tls {
            return tls.value(of: fact.property)?.losslessBytes
        }
        return try environment(name)?.bytes
    }

    /// The names of the built-in variables, except those of the environment.
    package var builtInNames: [String] {
        let ofSessions = sessions.all.flatMap { session -> [String] in
            var properties = ["address", session.child == nil ? "port" : "pid"]
            if session.channel.isShared { properties.append("peer") }
            if session.source != nil { properties.append("source") }
            if session.screen != nil { properties += ["screen", "cursor.row", "cursor.column"] }
            if session.channel.webSocket != nil { properties += ["path", "protocol"] }
            return properties.map { session.name + "." + $0 }
        }
        let ofServices = sessions.allServices.flatMap { name, service in
            ["address", "port"].map { name + "." + $0 } + (service is ReservedPlace ? [name + ".fd"] : [])
        }
        let ofBlocks = latencies.names.flatMap { name in TimeFigure.Figure.allCases.map { "\(name).\($0.rawValue)" } }
        return ["tmp", "file", "line", "dir", "now", "elapsed", "random", "bad.port", "0", "1"] + ofSessions
            + ofServices + ofBlocks
    }

    /// The seconds since 1970.
    private static var unixTime: Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private func address(of name: String) -> String? {
        sessions[name]?.channel.peer ?? sessions.service(named: name)?.location
    }
}
