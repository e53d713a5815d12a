import Glibc
import Synchronization

/// Where the frames of each bucket wait: in memory, or in one file a bucket in the state folder. Frames of one bucket keep their order.
final class BucketStore: Sendable {
    /// Bytes that wait for one file before they are written.
    private static let bufferBytes = 256 << 10

    private let directory: String?
    private let count: Int
    private let memory: Mutex<[[BucketFrame]]>
    private let buffers: Mutex<[[UInt8]]>

    /// - Parameter directory: of the files; nil keeps frames in memory.
    init(buckets: Int, directory: String?) {
        count = buckets
        self.directory = directory
        memory = Mutex(Array(repeating: [], count: directory == nil ? buckets : 0))
        buffers = Mutex(Array(repeating: [], count: directory == nil ? 0 : buckets))
    }

    private func path(_ bucket: Int) -> String { "\(directory ?? "")/bucket-\(bucket)" }

    /// Empties all buckets.
    func clear() throws(BackfillError) {
        guard let directory else { return }
        try FileSystem.makeDirectory(directory)
        for bucket in 0..<count { _ = try OutputFile(creating: path(bucket)) }
    }

    /// One caller at a time, in the order that the rows have.
    func append(_ frame: BucketFrame, to bucket: Int) throws(BackfillError) {
        if frame.ids.isEmpty { return }
        if directory == nil { return memory.withLock { $0[bucket].append(frame) } }
        let full: [UInt8]? = buffers.withLock { buffers in
            frame.encode(into: &buffers[bucket])
            if buffers[bucket].count < BucketStore.bufferBytes { return nil }
            defer { buffers[bucket].removeAll(keepingCapacity: true) }
            return buffers[bucket]
        }
        if let full { try write(full, bucket) }
    }

    private func write(_ bytes: [UInt8], _ bucket: Int) throws(BackfillError) {
        let fd = open(path(bucket), O_WRONLY | O_APPEND | O_CLOEXEC)
        if fd < 0 { throw FileSystem.failure("cannot be written", path(bucket)) }
        defer { close(fd) }
        var at = 0
        while at < bytes.count {
            let n = bytes.withUnsafeBytes { Glibc.write(fd, $0.baseAddress.map { $0 + at }, $0.count - at) }
            if n < 0 && errno == EINTR { continue }
            if n <= 0 { throw FileSystem.failure("cannot be written", path(bucket)) }
            at += n
        }
    }

    /// All rows are in: what waits is written and synced.
    func finish() throws(BackfillError) {
        guard let directory else { return }
        for bucket in 0..<count {
            let rest = buffers.withLock { buffers in
                defer { buffers[bucket] = [] }
                return buffers[bucket]
            }
            try write(rest, bucket)
            let fd = open(path(bucket), O_RDONLY | O_CLOEXEC)
            if fd < 0 { throw FileSystem.failure("cannot be read", path(bucket)) }
            defer { close(fd) }
            if fsync(fd) != 0 { throw FileSystem.failure("cannot be synced", path(bucket)) }
        }
        try FileSystem.sync(directory: directory)
    }

    /// The frames of a bucket, oldest first.
    func frames(_ bucket: Int) throws(BackfillError) -> [DecodedFrame] {
        if directory == nil { return memory.withLock { $0[bucket] }.map { DecodedFrame($0) } }
        guard let bytes = try FileSystem.read(path(bucket)) else {
            throw FileSystem.failure("is missing; remove the state folder to begin again", path(bucket))
        }
        var frames: [DecodedFrame] = []
        let isWhole = bytes.withUnsafeBytes { raw in
            var at = 0
            while at < raw.count {
                guard let frame = DecodedFrame(raw, at: &at) else { return false }
                frames.append(frame)
            }
            return true
        }
        if !isWhole { throw BackfillError(.unavailable, "\(path(bucket)) is damaged; remove the state folder to begin again") }
        return frames
    }

    /// A bucket that is done is needed no more; its file stays until the job is whole.
    func release(_ bucket: Int) {
        if directory == nil { memory.withLock { $0[bucket] = [] } }
    }

    func remove() {
        guard let directory else { return }
        for bucket in 0..<count { unlink(path(bucket)) }
        rmdir(directory)
    }
}
