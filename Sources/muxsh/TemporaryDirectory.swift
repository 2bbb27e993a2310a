import Results
import Glibc
import Reactor

/// The private directory that `${tmp}` names: created on first use, removed with its contents at the end.
final class TemporaryDirectory {
    private var createdPath: SystemString?

    /// Returns its path. Throws a failure with the reason when it cannot be created.
    func path() throws(Failure) -> SystemString {
        if let createdPath { return createdPath }
        let parent = Environment.setting("TMPDIR")
        var template = ((parent ?? "/tmp") + "/muxsh.XXXXXX").bytes.map { CChar(bitPattern: $0) } + [0]
        guard mkdtemp(&template) != nil else {
            throw Failure(
                .connection, "cannot create a private directory in \(parent ?? "/tmp"): \(lastErrorMessage())",
                details: parent == nil ? [] : ["check the environment variable TMPDIR"])
        }
        let path = SystemString(copying: template)
        createdPath = path
        return path
    }

    func remove() {
        if let createdPath { Self.remove(createdPath, in: AT_FDCWD) }
        createdPath = nil
    }

    /// Removes an entry of a directory. A symbolic link is removed itself; only a real directory is entered.
    private static func remove(_ name: SystemString, in parent: Int32) {
        if name.withCString({ unlinkat(parent, $0, 0) }) == 0 { return }
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        var number = name.withCString { openat(parent, $0, flags) }
        if number < 0, errno == EACCES, name.withCString({ fchmodat(parent, $0, 0o700, 0) }) == 0 {
            number = name.withCString { openat(parent, $0, flags) }
        }
        guard number >= 0, let directory = fdopendir(number) else { return }
        fchmod(number, 0o700)
        while let entry = readdir(directory) {
            let bytes = Folder.name(of: entry).bytes
            if let name = SystemString(bytes), name != ".", name != ".." { remove(name, in: number) }
        }
        closedir(directory)
        _ = name.withCString { unlinkat(parent, $0, AT_REMOVEDIR) }
    }
}
