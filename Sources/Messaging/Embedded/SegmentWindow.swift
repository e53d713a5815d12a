import Glibc

/// Reads frames of one segment file through one buffer.
struct SegmentWindow {
    enum Found {
        case frame(FrameHeader)
        case damaged(FrameFault)
    }

    /// What is wrong where a frame should stand.
    enum FrameFault: String, Sendable {
        /// The file ends before the frame does: what a crash in the middle of a write leaves.
        case truncated = "the file ends before the frame does"
        case magic = "no frame begins here"
        case checksum = "the checksum does not match"
        case offset = "the offset does not follow from the frame before"
        case malformed = "the parts of the record do not add up"
    }

    let file: any LogFile
    /// Where the bytes to be read end.
    let size: Int64
    private let blockBytes: Int
    private var buffer: [UInt8] = []
    private var start: Int64 = 0

    init(_ file: any LogFile, size: Int64, blockBytes: Int) {
        self.file = file
        self.size = size
        self.blockBytes = max(blockBytes, 16 << 10)
    }

    /// Checks the frame at `position`, whose offset must be `offset`. Throws only if the file cannot be read.
    mutating func frame(at position: Int64, expecting offset: Offset) throws -> Found {
        guard try load(position, Frame.headerBytes) else { return .damaged(.truncated) }
        guard let header = buffered(position, Frame.headerBytes, { FrameHeader($0) }) else { return .damaged(.magic) }
        guard try load(position, header.totalBytes) else { return .damaged(.truncated) }
        guard body(of: header, at: position, { header.matches(body: $0) }) else { return .damaged(.checksum) }
        return header.offset == offset ? .frame(header) : .damaged(.offset)
    }

    /// The body of a frame that `frame(at:)` has just found.
    func body<T>(of header: FrameHeader, at position: Int64, _ use: (UnsafeRawBufferPointer) -> T) -> T {
        buffered(position + Int64(Frame.headerBytes), header.bodyBytes, use)
    }

    /// Whether a whole frame stands at `position` without another read.
    func holdsFrame(at position: Int64) -> Bool {
        guard holds(position, Frame.headerBytes) else { return false }
        guard let header = buffered(position, Frame.headerBytes, { FrameHeader($0) }) else { return false }
        return holds(position, header.totalBytes)
    }

    /// The first sound frame behind a damaged one: where the damaged frame's own length leads, else by a search for the magic number.
    /// Its offset must be possible: no more frames can have stood in between than fit there. The effort is bounded.
    mutating func nextFrame(after position: Int64, expecting offset: Offset, below end: Offset) throws -> (
        position: Int64, offset: Offset
    )? {
        var checkedBytes = 0
        func possible(_ header: FrameHeader, at candidate: Int64) -> Bool {
            let most = offset + (candidate - position) / Int64(Frame.headerBytes) + 1
            return header.offset >= offset && header.offset <= most && header.offset < end
        }
        if let header = try header(at: position) {
            let candidate = position + Int64(header.totalBytes)
            if let next = try self.header(at: candidate), possible(next, at: candidate),
                case .frame = try frame(at: candidate, expecting: next.offset)
            {
                return (candidate, next.offset)
            }
        }
        var at = position + 1
        while let candidate = try findMagic(from: at) {
            if let next = try header(at: candidate), possible(next, at: candidate) {
                if case .frame = try frame(at: candidate, expecting: next.offset) { return (candidate, next.offset) }
                checkedBytes += next.totalBytes
                if checkedBytes > 256 << 20 { return nil }
            }
            at = candidate + 1
        }
        return nil
    }

    /// Whether only zeros stand from `position` to the end: space that a filesystem gave but never filled.
    mutating func isZero(from position: Int64) throws -> Bool {
        var at = position
        while at < size {
            guard try load(at, 1) else { return true }
            let index = Int(at - start)
            if buffer[index...].contains(where: { $0 != 0 }) { return false }
            at = start + Int64(buffer.count)
        }
        return true
    }

    private mutating func header(at position: Int64) throws -> FrameHeader? {
        guard try load(position, Frame.headerBytes) else { return nil }
        guard let header = buffered(position, Frame.headerBytes, { FrameHeader($0) }) else { return nil }
        return position + Int64(header.totalBytes) <= size ? header : nil
    }

    private mutating func findMagic(from position: Int64) throws -> Int64? {
        var at = position
        while at + Int64(Frame.headerBytes) <= size, try load(at, Frame.headerBytes) {
            let index = Int(at - start)
            if let found = buffer.withUnsafeBytes({ SegmentWindow.magicIndex($0, from: index) }) { return start + Int64(found) }
            // The magic number may lie across the end of the buffer.
            at = start + Int64(buffer.count) - 3
        }
        return nil
    }

    private static func magicIndex(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        let first = Int32(Frame.magic & 0xff)
        var at = start
        while at + 4 <= bytes.count, let hit = memchr(base + at, first, bytes.count - 3 - at) {
            at = UnsafeRawPointer(hit) - base
            if UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)) == Frame.magic { return at }
            at += 1
        }
        return nil
    }

    private func holds(_ position: Int64, _ count: Int) -> Bool {
        position >= start && position + Int64(count) <= start + Int64(buffer.count)
    }

    private func buffered<T>(_ position: Int64, _ count: Int, _ use: (UnsafeRawBufferPointer) -> T) -> T {
        let index = Int(position - start)
        return buffer.withUnsafeBytes { use(UnsafeRawBufferPointer(rebasing: $0[index..<(index + count)])) }
    }

    /// Makes the bytes available in the buffer; false where the file has not so many.
    private mutating func load(_ position: Int64, _ count: Int) throws -> Bool {
        if holds(position, count) { return true }
        guard position + Int64(count) <= size else { return false }
        buffer = try file.read(count: Int(min(Int64(max(blockBytes, count)), size - position)), at: position)
        start = position
        return buffer.count >= count
    }
}
