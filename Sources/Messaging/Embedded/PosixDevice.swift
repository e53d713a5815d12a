import Glibc

/// A failed system call.
struct DeviceError: Error, CustomStringConvertible {
    var operation: String
    var path: String
    /// errno.
    var code: Int32

    init(_ operation: String, _ path: String, code: Int32 = errno) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// No such file.
    var isMissing: Bool { code == ENOENT }
    /// No space, over quota, or a filesystem that refuses writes.
    var isStorageFull: Bool { [ENOSPC, EDQUOT, EROFS, EFBIG].contains(code) }
    var description: String { "cannot \(operation) \(path): \(String(cString: strerror(code)))" }
}

extension MessagingError {
    /// What a producer or a consumer hears of a failure underneath.
    init(wrapping error: any Error) {
        switch error {
        case let error as MessagingError: self = error
        case let error as DeviceError where error.isStorageFull:
            self.init(.storageFull, "\(error). Free space on this filesystem; the call can be repeated then.")
        default: self.init(.io, "\(error)")
        }
    }
}

extension BlockingThreads {
    /// As `run`; what fails underneath comes out as `MessagingError`.
    func access<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await run { do { return try body() } catch { throw MessagingError(wrapping: error) } }
    }
}

/// The real filesystem.
struct PosixDevice: LogDevice {
    func createDirectory(_ path: String) throws {
        var made = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            made += "/" + part
            if mkdir(made, 0o755) != 0 && errno != EEXIST { throw DeviceError("create directory", made) }
        }
    }

    func list(_ path: String) throws -> [String] {
        guard let directory = opendir(path) else { throw DeviceError("list", path) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    func open(_ path: String, _ mode: OpenMode) throws -> any LogFile {
        let flags =
            switch mode {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .create: O_RDWR | O_CREAT | O_TRUNC
            }
        return PosixFile(descriptor: try PosixDevice.descriptor(path, flags, "open"), path: path)
    }

    func remove(_ path: String) throws {
        if unlink(path) != 0 { throw DeviceError("remove", path) }
    }

    func rename(_ path: String, to target: String) throws {
        if Glibc.rename(path, target) != 0 { throw DeviceError("rename to \(target)", path) }
    }

    func syncDirectory(_ path: String) throws {
        let descriptor = try PosixDevice.descriptor(path, O_RDONLY | O_DIRECTORY, "open")
        defer { close(descriptor) }
        if fsync(descriptor) != 0 { throw DeviceError("sync directory", path) }
    }

    func lock(_ path: String) throws -> any LogLock {
        let file = PosixFile(descriptor: try PosixDevice.descriptor(path, O_RDWR | O_CREAT, "open the lock file"), path: path)
        if flock(file.descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK else { throw DeviceError("lock", path) }
            let owner = String(decoding: (try? file.read(count: 20, at: 0)) ?? [], as: UTF8.self).prefix { $0 != "\n" }
            throw MessagingError(
                .unavailable,
                "the log directory of \(path) is in use by another almanac process (pid \(owner.isEmpty ? "unknown" : String(owner))). "
                    + "Stop that process or choose another data directory.")
        }
        try file.truncate(to: 0)
        try file.write(Array("\(getpid())\n".utf8), at: 0)
        return file
    }

    /// Close-on-exec: a child process must hold neither the lock nor removed segments.
    private static func descriptor(_ path: String, _ flags: Int32, _ operation: String) throws -> Int32 {
        while true {
            let descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o644)
            if descriptor >= 0 { return descriptor }
            if errno != EINTR { throw DeviceError(operation, path) }
        }
    }
}

final class PosixFile: LogFile, LogLock {
    let descriptor: Int32
    private let path: String

    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    func size() throws -> Int64 {
        var info = stat()
        if fstat(descriptor, &info) != 0 { throw DeviceError("read the size of", path) }
        return Int64(info.st_size)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let written = pwrite(descriptor, rest.baseAddress, rest.count, off_t(position) + off_t(done))
            if written < 0 {
                if errno == EINTR { continue }
                throw DeviceError("write", path)
            }
            if written == 0 { throw DeviceError("write", path, code: EIO) }
            done += written
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int64) throws -> Int {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = pread(descriptor, rest.baseAddress, rest.count, off_t(position) + off_t(done))
            if count < 0 {
                if errno == EINTR { continue }
                throw DeviceError("read", path)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func sync() throws {
        while fdatasync(descriptor) != 0 {
            if errno != EINTR { throw DeviceError("sync", path) }
        }
    }

    func truncate(to size: Int64) throws {
        while ftruncate(descriptor, off_t(size)) != 0 {
            if errno != EINTR { throw DeviceError("truncate", path) }
        }
    }
}
