import Glibc

/// A file that is read from a place on, in pieces, while others may append to it, cut it or put another in its place.
final class FollowedFile {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// Which file it is: another one at the same path has another.
    struct Identity: Equatable {
        var device: UInt64
        var inode: UInt64
    }

    private static let pieceBytes = 128 << 10
    let path: String
    let identity: Identity
    private let descriptor: Int32
    private(set) var position: Int64 = 0

    init(_ path: String) throws(Failure) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw FollowedFile.failure(path) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw Failure(description: "\(path) is not a regular file")
        }
        identity = Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    deinit { close(descriptor) }

    private static func failure(_ path: String) -> Failure {
        Failure(description: "cannot read \(path): \(String(cString: strerror(errno)))")
    }

    var size: Int64 {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? Int64(status.st_size) : 0
    }

    func seek(to position: Int64) { self.position = position }

    /// The next piece; empty at the end of what is there.
    func read() throws(Failure) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: FollowedFile.pieceBytes)
        while true {
            let n = pread(descriptor, &buffer, buffer.count, off_t(position))
            if n < 0 && errno == EINTR { continue }
            if n < 0 { throw FollowedFile.failure(path) }
            position += Int64(n)
            return Array(buffer[0..<n])
        }
    }

    /// Whether the path now leads to another file, or this one has been cut. A path that leads nowhere has not been replaced yet.
    var isReplaced: Bool {
        if size < position { return true }
        var status = stat()
        guard stat(path, &status) == 0 else { return false }
        return Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)) != identity
    }
}

/// Where the reading of a file goes on after a start: which file, and how far its records are durable.
struct FileBookmark: Equatable {
    var identity: FollowedFile.Identity
    var position: Int64

    /// nil where there is none, or none that can be read: then the file is read from its beginning, which changes nothing that is there.
    static func load(_ path: String) -> FileBookmark? {
        guard let file = try? FollowedFile(path), let bytes = try? file.read() else { return nil }
        let parts = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard parts.count == 4, parts[0] == "1", let device = UInt64(parts[1]), let inode = UInt64(parts[2]),
            let position = Int64(parts[3]),
            position >= 0
        else { return nil }
        return FileBookmark(identity: .init(device: device, inode: inode), position: position)
    }

    /// Replaced as a whole. Not synced: an old one costs time, not samples.
    func save(_ path: String) throws(FollowedFile.Failure) {
        let temporary = path + ".new"
        let bytes = Array("1 \(identity.device) \(identity.inode) \(position)\n".utf8)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        let written = descriptor >= 0 ? write(descriptor, bytes, bytes.count) : -1
        if descriptor >= 0 { close(descriptor) }
        guard written == bytes.count, rename(temporary, path) == 0 else {
            throw FollowedFile.Failure(description: "cannot write \(path): \(String(cString: strerror(errno)))")
        }
    }
}
