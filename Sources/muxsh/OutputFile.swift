import Engine
import Glibc

/// A file of --transcript or --report: for its owner only, each line written as soon as it is known, so that nothing is
/// lost when the program is killed.
final class OutputFile {
    let path: String
    private let descriptor: Int32
    /// Why it could not be written to its end, in words.
    private(set) var problem: String?

    /// Opens the file; what it held before is gone then.
    init(path: String) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        if descriptor < 0 {
            problem = lastErrorWords()
        } else {
            // A file that was there keeps its mode otherwise.
            fchmod(descriptor, 0o600)
        }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    func write(_ line: [UInt8]) {
        guard problem == nil, !writeAll(line, to: descriptor) else { return }
        problem = lastErrorWords()
    }
}
