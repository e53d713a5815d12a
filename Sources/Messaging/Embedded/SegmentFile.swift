import TimeSeries

/// Names and the head of segment files.
enum SegmentFile {
    static let headerBytes = 16
    static let version: UInt32 = 1
    private static let magic: UInt64 = 0x474f_4c4e_414d_4c41  // "ALMANLOG"

    /// The name of the segment whose first record has the offset `base`.
    static func name(_ base: Offset) -> String {
        let digits = String(base)
        return String(repeating: "0", count: max(0, 20 - digits.utf8.count)) + digits + ".log"
    }

    /// nil for names of other files.
    static func base(_ name: String) -> Offset? {
        guard name.utf8.count == 24, name.hasSuffix(".log"), name.utf8.prefix(20).allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Offset(name.prefix(20))
    }

    static func header() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendLittleEndian(magic)
        bytes.appendLittleEndian(version)
        bytes.appendLittleEndian(CRC32C.checksum(bytes))
        return bytes
    }

    /// Throws for a file that a newer version wrote. False where the head is damaged: the frames say enough to be read all the same.
    static func checkHeader(_ file: any LogFile, path: String) throws -> Bool {
        let bytes = try file.read(count: headerBytes, at: 0)
        guard bytes.count == headerBytes else { return false }
        let (foundMagic, foundVersion, sum) = bytes.withUnsafeBytes { raw in
            (
                UInt64(littleEndian: raw.loadUnaligned(as: UInt64.self)),
                UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt32.self)),
                UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
            )
        }
        guard foundMagic == magic, sum == CRC32C.checksum(Array(bytes[..<12])) else { return false }
        guard foundVersion == version else {
            throw MessagingError(
                .corrupt, "\(path) has format version \(foundVersion); this version of almanac reads \(version). Start the newer one.")
        }
        return true
    }
}

/// A place in a segment from which frames can be read.
struct IndexEntry: Sendable {
    var offset: Offset
    var position: Int64
    /// The latest append time of the frames before.
    var timeBefore: Milliseconds
}

/// Every 64 KB an entry: 24 bytes for 64 KB of log.
struct SparseIndex: Sendable {
    static let interval: Int64 = 64 << 10
    private(set) var entries: [IndexEntry]

    init(base: Offset) {
        entries = [IndexEntry(offset: base, position: Int64(SegmentFile.headerBytes), timeBefore: .min)]
    }

    var last: IndexEntry? { entries.last }

    mutating func append(contentsOf new: [IndexEntry]) { entries.append(contentsOf: new) }

    static func wants(_ position: Int64, after last: Int64) -> Bool { position - last >= interval }

    /// The last entry at or before `offset`. O(log entries).
    func entry(at offset: Offset) -> IndexEntry { lastEntry { $0.offset <= offset } }

    /// The last entry all frames before which are older than `time`.
    func entry(time: Milliseconds) -> IndexEntry { lastEntry { $0.timeBefore < time } }

    private func lastEntry(_ holds: (IndexEntry) -> Bool) -> IndexEntry {
        var low = 0
        var high = entries.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if holds(entries[middle]) { low = middle } else { high = middle }
        }
        return entries[low]
    }
}

/// What is known of one segment file.
struct Segment: Sendable {
    var base: Offset
    /// Durable bytes.
    var bytes: Int64
    /// The latest append time in it; nil where there is no record or it is not known.
    var lastTime: Milliseconds?
    /// nil for segments that an earlier process filled: a reader that starts inside scans them.
    var index: SparseIndex?
}

/// A walk over a segment from its first frame to the last sound one.
struct SegmentScan {
    struct Hole {
        var position: Int64
        var bytes: Int64
        var fault: SegmentWindow.FrameFault
    }

    /// Where the last sound frame ends.
    private(set) var end = Int64(SegmentFile.headerBytes)
    private(set) var nextOffset: Offset
    private(set) var frames = 0
    private(set) var lastTime: Milliseconds?
    private(set) var index: SparseIndex
    /// Damage with sound frames behind it.
    private(set) var holes: [Hole] = []
    /// What is wrong with the bytes after `end`, if there are any.
    private(set) var tail: SegmentWindow.FrameFault?
    private(set) var tailIsZero = false

    /// Throws only if the file cannot be read. `visit` gets each sound frame. O(size).
    init(
        _ file: any LogFile, base: Offset, size: Int64,
        visit: (FrameHeader, UnsafeRawBufferPointer) -> Void = { _, _ in }
    ) throws {
        nextOffset = base
        index = SparseIndex(base: base)
        var window = SegmentWindow(file, size: size, blockBytes: 1 << 20)
        while end < size {
            switch try window.frame(at: end, expecting: nextOffset) {
            case .frame(let header):
                window.body(of: header, at: end) { visit(header, $0) }
                note(header)
            case .damaged(let fault):
                guard let next = try window.nextFrame(after: end, expecting: nextOffset, below: .max) else {
                    tail = fault
                    tailIsZero = try window.isZero(from: end)
                    return
                }
                holes.append(Hole(position: end, bytes: next.position - end, fault: fault))
                end = next.position
                nextOffset = next.offset
            }
        }
    }

    private mutating func note(_ header: FrameHeader) {
        if let last = index.last, SparseIndex.wants(end, after: last.position) {
            index.append(contentsOf: [IndexEntry(offset: header.offset, position: end, timeBefore: lastTime ?? .min)])
        }
        frames += 1
        lastTime = max(lastTime ?? .min, header.time)
        end += Int64(header.totalBytes)
        nextOffset = header.offset + 1
    }
}
