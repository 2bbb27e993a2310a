import Foundation
import TestSupport

/// A program that runs concurrently with a test, connected through pipes.
final class RunningProgram {
    let process = ChildProgram()
    private let input = Pipe()
    private let output = Pipe()
    private let errors = Pipe()
    private var buffered: [UInt8] = []

    /// Starts `command`, a shell command line whose last command is run with `exec`, so that the process is the
    /// program.
    init(shell command: String, environment: [String: String] = [:]) throws {
        process.path = "/bin/sh"
        process.arguments = ["-c", command]
        var variables = ["PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "TERM": "dumb", "LC_ALL": "C.UTF-8"]
        variables.merge(environment) { _, new in new }
        process.environment = variables
        process.input = input.fileHandleForReading.fileDescriptor
        process.output = output.fileHandleForWriting.fileDescriptor
        process.errors = errors.fileHandleForWriting.fileDescriptor
        // The end of the program must not end the tests.
        Glibc.signal(SIGPIPE, SIG_IGN)
        try process.run()
        for end in [input.fileHandleForReading, output.fileHandleForWriting, errors.fileHandleForWriting] {
            try end.close()
        }
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    func say(_ text: String) {
        _ = write(input.fileHandleForWriting.fileDescriptor, text, text.utf8.count)
    }

    func endInput() {
        try? input.fileHandleForWriting.close()
    }

    /// Closes the reading end of the program's output.
    func stopReading() {
        try? output.fileHandleForReading.close()
    }

    func signal(_ number: Int32) {
        kill(process.processIdentifier, number)
    }

    /// Returns the next line of its output, without the newline; nil at the end.
    func line() -> String? {
        let descriptor = output.fileHandleForReading.fileDescriptor
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            if let end = buffered.firstIndex(of: 10) {
                defer { buffered.removeFirst(end + 1) }
                return String(decoding: buffered[..<end], as: UTF8.self)
            }
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return nil }
            buffered += chunk.prefix(count)
        }
    }

    /// Returns the port in the first line of its output, as echod prints it.
    func port() -> Int? {
        line().flatMap { $0.split(separator: ":").last.flatMap { Int($0) } }
    }

    /// Waits for its end and returns its status (128 plus the signal number if a signal ended it) and all of standard
    /// error.
    func end() -> (status: Int32, err: String) {
        let err = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus + (process.wasKilled ? 128 : 0), err)
    }

    /// Returns a field of /proc/PID/status, such as `Threads` or `VmRSS` (in kB).
    func kernelCount(_ field: String) -> Int? {
        let text = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
        let line = text?.split(separator: "\n").first { $0.hasPrefix(field + ":") }
        return line.flatMap {
            Int($0.dropFirst(field.count + 1).trimmingCharacters(in: .whitespaces).prefix { $0.isNumber })
        }
    }

    /// The CPU time it has used, in clock ticks (proc(5), hundredths of a second).
    var ticks: Int {
        let text = (try? String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8)) ?? ""
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        return fields.count > 12 ? (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0) : 0
    }
}

/// A plain blocking client.
final class Client {
    private let socket: Int32
    private var isCut = false

    /// Connects. With `waits` false the connection may still be in progress.
    init?(port: Int, waits: Bool = true) {
        let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | (waits ? 0 : SOCK_NONBLOCK.rawValue)
        socket = Glibc.socket(AF_INET, Int32(type), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let number = socket
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result != 0 && (waits || errno != EINPROGRESS) { return nil }
    }

    deinit {
        if !isCut { close(socket) }
    }

    func say(_ text: String) {
        _ = send(socket, text, text.utf8.count, Int32(MSG_NOSIGNAL))
    }

    /// Sends until the peer accepts no more; returns the number of bytes sent.
    func flood() -> Int {
        let chunk = [UInt8](repeating: 120, count: 65536)
        var sent = 0
        // Nonblocking: many consecutive EAGAIN errors mean that both kernel buffers are full.
        var refusals = 0
        while refusals < 200 {
            let count = send(socket, chunk, chunk.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            if count > 0 { sent += count } else { refusals += 1 }
            if count <= 0 { sched_yield() }
        }
        return sent
    }

    /// Receives exactly `count` bytes, fewer at the end of the stream.
    func hear(_ count: Int) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: min(max(count, 1), 65536))
        while bytes.count < count {
            let received = recv(socket, &buffer, min(buffer.count, count - bytes.count), 0)
            guard received > 0 else { break }
            bytes += buffer.prefix(received)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func endOutput() {
        shutdown(socket, Int32(SHUT_WR))
    }

    func cut() {
        isCut = true
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close(socket)
    }
}
