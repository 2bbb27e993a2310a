import Glibc
import Reactor

/// The process tree, as reported by /proc (proc_pid_stat(5)).
enum Processes {
    /// Our child processes: from the kernel's list (proc_tid_children(5)), or else by checking all processes.
    static var ownChildren: [pid_t] {
        let parent = getpid()
        let descriptor = open("/proc/self/task/\(parent)/children", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return all.filter { $0.parent == parent }.map(\.process) }
        defer { close(descriptor) }
        var list: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = read(descriptor, &buffer, buffer.count), count > 0 { list += buffer.prefix(count) }
        return list.split(separator: UInt8(ascii: " ")).compactMap { pid_t(String(decoding: $0, as: UTF8.self)) }
    }

    /// Returns the descendants of a process, parents before their children.
    static func descendants(of ancestor: pid_t) -> [pid_t] {
        var byParent: [pid_t: [pid_t]] = [:]
        for (process, parent) in all { byParent[parent, default: []].append(process) }
        var found: [pid_t] = []
        var next = byParent[ancestor] ?? []
        while let process = next.popLast() {
            found.append(process)
            next += byParent[process] ?? []
        }
        return found
    }

    private static var all: [(process: pid_t, parent: pid_t)] {
        guard let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        var all: [(process: pid_t, parent: pid_t)] = []
        while let entry = readdir(folder) {
            let name = Folder.name(of: entry).description
            if let process = pid_t(name), let parent = parent(of: process) { all.append((process, parent)) }
        }
        return all
    }

    private static func parent(of process: pid_t) -> pid_t? {
        let descriptor = open("/proc/\(process)/stat", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = read(descriptor, &bytes, bytes.count)
        // `PID (NAME) STATE PARENT …`; the name may contain anything.
        guard count > 0, let close = bytes[..<count].lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = bytes[(close + 1)..<count].split(separator: UInt8(ascii: " "))
        return fields.count > 1 ? pid_t(String(decoding: fields[1], as: UTF8.self)) : nil
    }
}
