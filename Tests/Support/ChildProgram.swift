import Foundation
import Glibc

/// A program that a test starts: Foundation's `Process` by posix_spawn(3). That one crashes when several threads start
/// programs, and under the address sanitizer; it also waits forever for programs that close what they inherit.
package final class ChildProgram: @unchecked Sendable {
    package var path = ""
    package var arguments: [String] = []
    package var folder = ""
    /// Nil for the environment of the tests.
    package var environment: [String: String]?
    /// The descriptors that it gets as its standard ones; nil for /dev/null.
    package var input: Int32?
    package var output: Int32?
    package var errors: Int32?
    package private(set) var processIdentifier: pid_t = 0

    private let lock = NSLock()
    private var status: Int32?

    package init() {}

    /// Why a program was not started.
    package struct Failure: Error {
        package let path: String
        package let number: Int32
    }

    /// Starts the program, with no signal blocked and no descriptor but the standard ones.
    package func run() throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (target, source) in [input, output, errors].enumerated() {
            let target = Int32(target)
            if let source {
                posix_spawn_file_actions_adddup2(&actions, source, target)
            } else {
                posix_spawn_file_actions_addopen(&actions, target, "/dev/null", O_RDWR, 0)
            }
        }
        _ = addCloseFrom(&actions, 3)
        if !folder.isEmpty { _ = addFolder(&actions, folder) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let own = ProcessInfo.processInfo.environment
        // Sanitizers and scripts/coverage are set up for all programs of a run.
        let kept = own.filter { ["ASAN_OPTIONS", "TSAN_OPTIONS", "LLVM_PROFILE_FILE"].contains($0.key) }
        let variables = (environment ?? own).merging(kept) { old, _ in old }.map { $0 + "=" + $1 }
        var (words, settings) = (([path] + arguments).map { strdup($0) } + [nil], variables.map { strdup($0) } + [nil])
        defer { (words + settings).forEach { free($0) } }
        let number = posix_spawn(&processIdentifier, path, &actions, &attributes, &words, &settings)
        guard number == 0 else { throw Failure(path: path, number: number) }
    }

    package var isRunning: Bool { processIdentifier > 0 && ended(WNOHANG) == nil }

    package func waitUntilExit() {
        _ = ended(0)
    }

    /// The exit status, or the signal that has killed it.
    package var terminationStatus: Int32 {
        guard let status = ended(0) else { return -1 }
        return status & 0x7F == 0 ? status >> 8 & 0xFF : status & 0x7F
    }

    /// Whether a signal has killed it.
    package var wasKilled: Bool { ended(0).map { $0 & 0x7F != 0 } ?? false }

    private func ended(_ options: Int32) -> Int32? {
        lock.lock()
        defer { lock.unlock() }
        guard status == nil, processIdentifier > 0 else { return status }
        var found: Int32 = 0
        var result: pid_t
        repeat { result = waitpid(processIdentifier, &found, options) } while result < 0 && errno == EINTR
        if result == processIdentifier { status = found }
        return status
    }
}

// Extensions of glibc that Swift does not see.
@_silgen_name("posix_spawn_file_actions_addclosefrom_np")
private func addCloseFrom(_ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>, _ first: CInt) -> CInt

@_silgen_name("posix_spawn_file_actions_addchdir_np")
private func addFolder(_ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>, _ path: UnsafePointer<CChar>)
    -> CInt
