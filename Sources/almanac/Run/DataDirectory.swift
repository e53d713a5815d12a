import Glibc

/// The directory that holds everything.
enum DataDirectory {
    /// Makes it and its parents if they are missing. Throws `Failure` that says what to do if it cannot be made or written.
    static func prepare(_ path: String) throws {
        try make(path)
        let probe = "\(path)/.write-test-\(getpid())"
        let fd = open(probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw failure("cannot be written", path) }
        close(fd)
        unlink(probe)
    }

    /// `mkdir -p`
    static func make(_ path: String) throws {
        var partial = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            partial += partial.isEmpty || partial.hasSuffix("/") ? String(part) : "/\(part)"
            if mkdir(partial, 0o750) == 0 || errno == EEXIST || errno == EISDIR { continue }
            // A parent that is there but not ours to write says EACCES or EROFS.
            let reason = errno
            if access(partial, F_OK) == 0 { continue }
            errno = reason
            throw failure("cannot be made", path)
        }
        var status = stat()
        guard stat(path, &status) == 0 else { throw failure("cannot be used", path) }
        if status.st_mode & S_IFMT != S_IFDIR { throw Failure("the data directory \(path) is a file; name a directory with --data") }
    }

    private static func failure(_ what: String, _ path: String) -> Failure {
        Failure("the data directory \(path) \(what): \(String(cString: strerror(errno))); choose another with --data or ALMANAC_DATA")
    }
}
