import Glibc
import TimeSeries

/// Coordination of one process by itself: epochs in a file, work divided by a fixed share i of n (by default all of it).
package struct StandaloneCoordinator: Coordinator {
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package var description: String
    }

    private let directory: String
    private let share: Int
    private let shares: Int

    /// `share` counts from 0 and is below `shares`.
    package init(directory: String, share: Int = 0, of shares: Int = 1) {
        self.directory = directory
        self.share = share
        self.shares = max(1, shares)
    }

    package func owns(_ name: String) -> Bool {
        shares == 1 || Int(Fingerprint(hashing: Array(name.utf8)).high % UInt64(shares)) == share
    }

    /// Reads, adds one, writes a new file, fsyncs and renames it over the old one. One process owns the directory (the log's lock).
    package func nextEpoch(for name: String) async throws -> Int64 {
        let path = directory + "/epoch-" + name
        let epoch = try StandaloneCoordinator.readEpoch(path) + 1
        try StandaloneCoordinator.writeEpoch(epoch, path: path, directory: directory)
        return epoch
    }

    private static func readEpoch(_ path: String) throws -> Int64 {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        if fd < 0 {
            if errno == ENOENT { return 0 }
            throw failure("cannot read", path)
        }
        defer { close(fd) }
        var buffer = [UInt8](repeating: 0, count: 32)
        let n = read(fd, &buffer, buffer.count)
        if n < 0 { throw failure("cannot read", path) }
        let text = String(decoding: buffer.prefix(n).filter { $0 != 0x0A }, as: UTF8.self)
        guard let epoch = Int64(text), epoch >= 0 else {
            throw Failure(description: "\(path) holds no number; write into it a number above every epoch used so far, or restore it")
        }
        return epoch
    }

    private static func writeEpoch(_ epoch: Int64, path: String, directory: String) throws {
        let temporary = path + ".new"
        let fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        if fd < 0 { throw failure("cannot write", temporary) }
        let bytes = Array("\(epoch)\n".utf8)
        let written = write(fd, bytes, bytes.count)
        let synced = fsync(fd)
        close(fd)
        if written != bytes.count || synced != 0 { throw failure("cannot write", temporary) }
        if rename(temporary, path) != 0 { throw failure("cannot rename to", path) }
        let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }

    private static func failure(_ what: String, _ path: String) -> Failure {
        Failure(description: "\(what) \(path): \(String(cString: strerror(errno))); check the data directory's space and permissions")
    }
}
