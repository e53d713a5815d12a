import Glibc

/// A file of lines, read in stretches of whole lines.
final class LineFile: Sendable {
    let path: String
    let size: Int
    /// When it was last changed, nanoseconds since 1970.
    let modified: Int64
    private let fd: Int32

    /// Throws `BackfillError` if it cannot be read or is no file.
    init(_ path: String) throws(BackfillError) {
        self.path = path
        // A pipe without a writer must not stop everything.
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if fd < 0 { throw FileSystem.failure("cannot be read", path) }
        var status = stat()
        guard fstat(fd, &status) == 0 else { throw FileSystem.failure("cannot be read", path) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw BackfillError(.usage, "\(path) is no file") }
        size = Int(status.st_size)
        modified = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
    }

    deinit { if fd >= 0 { close(fd) } }

    /// The first bytes, up to `count`.
    func head(_ count: Int) throws(BackfillError) -> [UInt8] {
        var buffer: [UInt8] = []
        try read(from: 0, count: min(count, size), into: &buffer)
        return buffer
    }

    /// The lines that begin in `range`, whole. Returns where in the file the first of them begins; `buffer` holds them from `skip` on.
    ///
    /// - Parameter isLineStart: whether a line is known to begin where the range does.
    func lines(
        in range: Range<Int>, isLineStart: Bool, into buffer: inout [UInt8], skip: inout Int
    ) throws(BackfillError) -> Int {
        if range.upperBound > size { throw BackfillError(.unavailable, "\(path) became shorter while it was read") }
        // The byte before tells whether a line begins right here.
        let from = isLineStart ? range.lowerBound : max(0, range.lowerBound - 1)
        try read(from: from, count: range.upperBound - from, into: &buffer)
        skip = 0
        if from < range.lowerBound {
            guard let end = buffer.firstIndex(of: 0x0A) else {
                buffer.removeAll(keepingCapacity: true)
                return range.lowerBound
            }
            skip = end + 1
        }
        // The last line goes on behind the range.
        var end = from + buffer.count
        while buffer.count > skip, buffer.last != 0x0A, end < size {
            if end - range.upperBound > RowScanner.longestLine {
                throw BackfillError(.usage, "\(path): a line is longer than 1 MiB; is it a text file?")
            }
            var more: [UInt8] = []
            try read(from: end, count: min(1 << 16, size - end), into: &more)
            let length = more.firstIndex(of: 0x0A).map { $0 + 1 } ?? more.count
            buffer.append(contentsOf: more[..<length])
            end += length
        }
        return from + skip
    }

    private func read(from: Int, count: Int, into buffer: inout [UInt8]) throws(BackfillError) {
        if buffer.count > count { buffer.removeLast(buffer.count - count) }
        if buffer.count < count { buffer.append(contentsOf: repeatElement(0, count: count - buffer.count)) }
        let failed = buffer.withUnsafeMutableBytes { raw in
            var at = 0
            while at < raw.count {
                let n = pread(fd, raw.baseAddress.map { $0 + at }, raw.count - at, from + at)
                if n < 0 && errno == EINTR { continue }
                if n < 0 { return true }
                if n == 0 {
                    errno = EIO
                    return true
                }
                at += n
            }
            return false
        }
        if failed { throw FileSystem.failure("cannot be read (was it cut meanwhile?)", path) }
    }

    /// The number of the line, from 1, that begins at `offset`. O(offset): for messages.
    func lineNumber(at offset: Int) -> Int {
        var line = 1
        var at = 0
        var buffer: [UInt8] = []
        while at < offset {
            guard (try? read(from: at, count: min(1 << 20, offset - at), into: &buffer)) != nil else { break }
            line += buffer.count { $0 == 0x0A }
            at += buffer.count
        }
        return line
    }
}
