import Glibc

/// The few calls on files, with errors that name path and reason.
enum FileSystem {
    static func failure(_ what: String, _ path: String) -> BackfillError {
        BackfillError(.unavailable, "\(path) \(what): \(String(cString: strerror(errno)))")
    }

    /// `mkdir -p`
    static func makeDirectory(_ path: String) throws(BackfillError) {
        var partial = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            partial += partial.isEmpty || partial.hasSuffix("/") ? String(part) : "/\(part)"
            if mkdir(partial, 0o755) == 0 || errno == EEXIST { continue }
            if access(partial, F_OK) != 0 { throw failure("cannot be made", path) }
        }
        var status = stat()
        guard stat(path, &status) == 0 else { throw failure("cannot be used", path) }
        if status.st_mode & S_IFMT != S_IFDIR { throw BackfillError(.usage, "\(path) is a file; name a folder") }
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether a folder, which need not be there yet, is another or lies below it. Links are followed.
    static func isInside(_ path: String, of folder: String) -> Bool {
        guard let folder = resolved(folder) else { return false }
        var parts = path.split(separator: "/").map(String.init)
        let root = path.hasPrefix("/") ? "/" : "./"
        // The part of the path that is there tells where the rest will be.
        var rest: [String] = []
        while true {
            if let known = resolved(root + parts.joined(separator: "/")) {
                let whole = ([known == "/" ? "" : known] + rest).joined(separator: "/")
                return whole == folder || folder == "/" || whole.hasPrefix(folder + "/")
            }
            guard let last = parts.popLast() else { return false }
            rest.insert(last, at: 0)
        }
    }

    private static func resolved(_ path: String) -> String? {
        guard let text = realpath(path, nil) else { return nil }
        defer { free(text) }
        return String(cString: text)
    }

    /// Renames, and makes the new name durable.
    static func rename(_ path: String, to target: String, in directory: String) throws(BackfillError) {
        if Glibc.rename(path, target) != 0 { throw failure("cannot be renamed to \(target)", path) }
        try sync(directory: directory)
    }

    static func sync(directory: String) throws(BackfillError) {
        let fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else { throw failure("cannot be opened", directory) }
        defer { close(fd) }
        if fsync(fd) != 0 { throw failure("cannot be synced", directory) }
    }

    /// The whole of a small file; nil when there is none.
    static func read(_ path: String) throws(BackfillError) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        if fd < 0 {
            if errno == ENOENT { return nil }
            throw failure("cannot be read", path)
        }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let n = Glibc.read(fd, &buffer, buffer.count)
            if n < 0 && errno == EINTR { continue }
            if n < 0 { throw failure("cannot be read", path) }
            if n == 0 { return bytes }
            bytes += buffer[0..<n]
        }
    }
}

/// A file that is written from its beginning. Closed when it goes.
final class OutputFile {
    private let fd: Int32
    private let path: String

    /// Empties a file that is there.
    init(creating path: String) throws(BackfillError) {
        self.path = path
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        if fd < 0 { throw FileSystem.failure("cannot be written", path) }
    }

    /// Goes on at the end of a file, cut to `length` bytes.
    init(appendingTo path: String, length: Int) throws(BackfillError) {
        self.path = path
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        if fd < 0 { throw FileSystem.failure("cannot be written", path) }
        if ftruncate(fd, length) != 0 { throw FileSystem.failure("cannot be cut", path) }
    }

    deinit { if fd >= 0 { close(fd) } }

    func write(_ bytes: [UInt8]) throws(BackfillError) {
        let failed = bytes.withUnsafeBytes { raw in
            var at = 0
            while at < raw.count {
                let n = Glibc.write(fd, raw.baseAddress.map { $0 + at }, raw.count - at)
                if n < 0 && errno == EINTR { continue }
                if n <= 0 { return true }
                at += n
            }
            return false
        }
        if failed { throw FileSystem.failure("cannot be written", path) }
    }

    func sync() throws(BackfillError) {
        if fsync(fd) != 0 { throw FileSystem.failure("cannot be synced", path) }
    }
}
