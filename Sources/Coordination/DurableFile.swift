import Glibc

/// A small file that is replaced as a whole: written beside, synced, renamed over.
enum DurableFile {
    /// nil when there is none.
    static func read(_ path: String) throws -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        if fd < 0 {
            if errno == ENOENT { return nil }
            throw failure("cannot read", path)
        }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let n = Glibc.read(fd, &buffer, buffer.count)
            if n < 0 && errno == EINTR { continue }
            if n < 0 { throw failure("cannot read", path) }
            if n == 0 { return bytes }
            bytes += buffer.prefix(n)
        }
    }

    static func write(_ bytes: [UInt8], to path: String, in directory: String) throws {
        let temporary = path + ".new"
        let fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        if fd < 0 { throw failure("cannot write", temporary) }
        let isWritten = writeAll(bytes, to: fd)
        let synced = fsync(fd)
        let saved = errno
        close(fd)
        errno = saved
        if !isWritten || synced != 0 { throw failure("cannot write", temporary) }
        if rename(temporary, path) != 0 { throw failure("cannot rename to", path) }
        let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }

    private static func writeAll(_ bytes: [UInt8], to fd: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let n = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            if n < 0 && errno == EINTR { continue }
            if n <= 0 { return false }
            rest = rest.dropFirst(n)
        }
        return true
    }

    private static func failure(_ what: String, _ path: String) -> CoordinationError {
        CoordinationError(
            .unavailable, "\(what) \(path): \(String(cString: strerror(errno))); check the data directory's space and permissions")
    }
}
