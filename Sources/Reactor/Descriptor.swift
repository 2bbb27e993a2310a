import CPlatform
import Glibc
import SystemPackage

/// Owns a file descriptor and closes it at the end of this value's lifetime.
package struct Descriptor: ~Copyable {
    /// The descriptor number, for system calls. The caller must not close it.
    package let number: Int32

    /// Takes ownership of an open descriptor.
    package init(owning number: Int32) {
        self.number = number
    }

    deinit {
        close(number)
    }

    /// Makes reads and writes return immediately (fcntl(2), O_NONBLOCK).
    ///
    /// The flag belongs to the open file description, so use it only for descriptors that this process created.
    package func makeNonBlocking() throws(Errno) {
        let flags = c_get_flags(number)
        guard flags >= 0, c_set_flags(number, flags | O_NONBLOCK) == 0 else { throw Errno(rawValue: errno) }
    }

    /// Returns both ends of a new pipe, non-blocking and close-on-exec (pipe(2)).
    package static func pipe() throws(Errno) -> Pipe {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { throw Errno(rawValue: errno) }
        let pipe = Pipe(reading: Descriptor(owning: ends[0]), writing: Descriptor(owning: ends[1]))
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
        try pipe.reading.makeNonBlocking()
        try pipe.writing.makeNonBlocking()
        return pipe
    }
}

/// The two ends of a pipe.
package struct Pipe: ~Copyable {
    package let reading: Descriptor
    package let writing: Descriptor

    package init(reading: consuming Descriptor, writing: consuming Descriptor) {
        self.reading = reading
        self.writing = writing
    }

    /// Returns the reading end and closes the other, for a parent whose child writes.
    package consuming func takeReadingEnd() -> Descriptor {
        reading
    }

    /// Returns the writing end and closes the other, for a parent whose child reads.
    package consuming func takeWritingEnd() -> Descriptor {
        writing
    }

    /// Returns both ends, for owners that are copyable.
    package consuming func shared() -> (reading: SharedDescriptor, writing: SharedDescriptor) {
        (SharedDescriptor(reading), SharedDescriptor(writing))
    }
}

/// A descriptor for an owner that is copyable or releases it early. It is closed with the last reference.
package final class SharedDescriptor {
    private let descriptor: Descriptor

    package init(_ descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }

    package var number: Int32 { descriptor.number }
}

/// Opens 0, 1 and 2 if they are closed. Otherwise a descriptor of ours could be used as standard input or output.
///
/// A closed one is replaced by /dev/null, opened so that using it still fails: standard input cannot be read, standard
/// output cannot be written. Call this before opening anything.
package func occupyStandardDescriptors() {
    for (descriptor, flags) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_WRONLY)]
    where fcntl(descriptor, F_GETFD) < 0 {
        _ = open("/dev/null", flags)
    }
}

/// Raises the soft limit on open files to the hard limit (setrlimit(2), RLIMIT_NOFILE). Does nothing on failure.
package func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    guard limit.rlim_cur < limit.rlim_max else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}
