import Logging
import Synchronization
import Telemetry
import TimeSeries

/// What a partition needs from round it.
struct PartitionSetup: Sendable {
    var place: TopicPartition
    var directory: String
    var device: any LogDevice
    var segmentBytes: Int64
    var metrics: TopicMetrics
    var logMetrics: LogMetrics
    var logger: Logger

    func path(_ base: Offset) -> String { directory + "/" + SegmentFile.name(base) }
    /// Where recovery keeps what it cut off a segment from a position on.
    func cutPath(_ base: Offset, position: Int64) -> String { "\(path(base)).\(position).corrupt" }
}

/// What readers may see: durable records only.
struct PartitionView: Sendable {
    var segments: [Segment] = []
    var nextOffset: Offset = 0

    var earliest: Offset { segments.first?.base ?? nextOffset }
    var bytes: Int64 { segments.reduce(0) { $0 + $1.bytes } }

    /// The segment in whose range the offset falls; nil below the earliest. O(log segments).
    func segment(containing offset: Offset) -> Int? {
        var low = 0
        var high = segments.count
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].base <= offset { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : low - 1
    }

    /// The first offset behind a segment.
    func end(of i: Int) -> Offset { i + 1 < segments.count ? segments[i + 1].base : nextOffset }
}

/// One partition: its segments, the view for readers, and the writer's end of the last segment.
final class PartitionLog: Sendable {
    let setup: PartitionSetup
    let view: Mutex<PartitionView>
    /// Held by the writer's thread for the time of a write; nobody else takes it while the log runs.
    let active: Mutex<ActiveSegment?>

    private init(_ setup: PartitionSetup, view: PartitionView, active: ActiveSegment?) {
        self.setup = setup
        self.view = Mutex(view)
        self.active = Mutex(active)
    }

    var place: TopicPartition { setup.place }
    var nextOffset: Offset { view.withLock { $0.nextOffset } }
    var earliest: Offset { view.withLock { $0.earliest } }

    /// Opens the partition's directory and recovers its last segment. No new record gets an offset below `minimumNextOffset`
    /// (what groups have committed), whatever the files say. O(last segment).
    static func open(_ setup: PartitionSetup, minimumNextOffset: Offset) throws -> PartitionLog {
        try setup.device.createDirectory(setup.directory)
        let bases = try setup.device.list(setup.directory).compactMap(SegmentFile.base).sorted()
        var view = PartitionView()
        var active: ActiveSegment?
        if let last = bases.last {
            view.segments = try PartitionLog.sealedSegments(Array(bases.dropLast()), last: last, setup)
            (view, active) = try PartitionLog.recover(last, view, setup)
        }
        if view.nextOffset < minimumNextOffset {
            if !bases.isEmpty {
                setup.logger.warning(
                    "a group has committed beyond the end of the log; new records get offsets from the committed one",
                    metadata: ["partition": "\(setup.place)", "end": "\(view.nextOffset)", "committed": "\(minimumNextOffset)"])
            }
            view.nextOffset = minimumNextOffset
            active = nil
        }
        return PartitionLog(setup, view: view, active: active)
    }

    /// The last append time of a sealed segment is taken to be the first of the next one: one small read each instead of a scan.
    private static func sealedSegments(_ bases: [Offset], last: Offset, _ setup: PartitionSetup) throws -> [Segment] {
        var segments: [Segment] = []
        var following = try firstTime(last, setup).time
        for base in bases.reversed() {
            let (bytes, time) = try firstTime(base, setup)
            segments.append(Segment(base: base, bytes: bytes, lastTime: following, index: nil))
            following = time ?? following
        }
        segments.reverse()
        // Only the segment before a last one without records has none after it.
        if let i = segments.indices.last, segments[i].lastTime == nil {
            let file = try setup.device.open(setup.path(segments[i].base), .read)
            segments[i].lastTime = try SegmentScan(file, base: segments[i].base, size: segments[i].bytes).lastTime
        }
        return segments
    }

    private static func firstTime(_ base: Offset, _ setup: PartitionSetup) throws -> (bytes: Int64, time: Milliseconds?) {
        let path = setup.path(base)
        let file = try setup.device.open(path, .read)
        let size = try file.size()
        if size >= Int64(SegmentFile.headerBytes), try !SegmentFile.checkHeader(file, path: path) {
            setup.logger.warning("the head of a segment file is damaged; its frames are read all the same", metadata: ["file": "\(path)"])
        }
        let bytes = try file.read(count: Frame.headerBytes, at: Int64(SegmentFile.headerBytes))
        return (size, bytes.withUnsafeBytes { FrameHeader($0)?.time })
    }

    /// Cuts the last segment after its last sound frame and makes the rest durable, so that readers may have it.
    private static func recover(_ base: Offset, _ known: PartitionView, _ setup: PartitionSetup) throws -> (
        PartitionView, ActiveSegment?
    ) {
        let path = setup.path(base)
        let file = try setup.device.open(path, .readWrite)
        var size = try file.size()
        if size < Int64(SegmentFile.headerBytes) {
            try file.truncate(to: 0)
            size = Int64(SegmentFile.headerBytes)
        }
        if try !SegmentFile.checkHeader(file, path: path) { try file.write(SegmentFile.header(), at: 0) }
        let scan = try SegmentScan(file, base: base, size: size)
        for hole in scan.holes {
            setup.metrics.corruptFrames.add()
            setup.logger.error(
                "damage inside a segment: sound records follow, readers skip the damaged bytes",
                metadata: [
                    "file": "\(path)", "position": "\(hole.position)", "bytes": "\(hole.bytes)", "reason": "\(hole.fault.rawValue)",
                ])
        }
        var view = known
        view.nextOffset = scan.nextOffset
        var mayAppend = true
        if let fault = scan.tail {
            let torn = fault == .truncated || scan.tailIsZero
            if torn {
                try PartitionLog.cut(file, path: path, at: scan.end, size: size, fault: fault, keptIn: nil, setup)
            } else {
                // Records that were acknowledged may have stood here: their offsets are not given again.
                view.nextOffset += (size - scan.end) / Int64(Frame.headerBytes) + 1
                mayAppend = false
                PartitionLog.sealCorrupt(file, base, at: scan.end, size: size, fault: fault, next: view.nextOffset, setup)
            }
        }
        try file.sync()
        try setup.device.syncDirectory(setup.directory)
        setup.metrics.recoveredBytes.add(Int(scan.end))
        view.segments.append(Segment(base: base, bytes: scan.end, lastTime: scan.lastTime, index: scan.index))
        guard mayAppend else { return (view, nil) }
        let lastIndexed = scan.index.last?.position ?? 0
        return (view, ActiveSegment(file: file, durable: scan.end, nextOffset: scan.nextOffset, lastIndexed: lastIndexed))
    }

    private static func cut(
        _ file: any LogFile, path: String, at end: Int64, size: Int64, fault: SegmentWindow.FrameFault, keptIn side: String?,
        _ setup: PartitionSetup
    ) throws {
        try file.truncate(to: end)
        setup.metrics.cutBytes.add(Int(size - end))
        setup.logger.warning(
            "cut the tail of a segment after its last sound record",
            metadata: [
                "file": "\(path)", "position": "\(end)", "bytes_dropped": "\(size - end)", "reason": "\(fault.rawValue)",
                "kept_in": "\(side ?? "nothing: the last write was not complete, so it was not acknowledged")",
            ])
    }

    /// Saves a corrupt tail in a side file, begins the segment of the next record, so that a restart knows where offsets go on,
    /// and only then cuts. Where the disk refuses, the tail stays: readers skip it and the next start tries again.
    private static func sealCorrupt(
        _ file: any LogFile, _ base: Offset, at end: Int64, size: Int64, fault: SegmentWindow.FrameFault, next: Offset,
        _ setup: PartitionSetup
    ) {
        let path = setup.path(base)
        setup.metrics.corruptFrames.add()
        do {
            let side = setup.cutPath(base, position: end)
            let copy = try setup.device.open(side, .create)
            var at = end
            while at < size {
                let bytes = try file.read(count: Int(min(1 << 20, size - at)), at: at)
                if bytes.isEmpty { break }
                try copy.write(bytes, at: at - end)
                at += Int64(bytes.count)
            }
            try copy.sync()
            _ = try create(next, setup)
            try cut(file, path: path, at: end, size: size, fault: fault, keptIn: side, setup)
        } catch {
            setup.logger.error(
                "the tail of a segment is corrupt and could not be saved and cut; it stays, and readers skip it",
                metadata: ["file": "\(path)", "position": "\(end)", "reason": "\(fault.rawValue)", "error": "\(error)"])
        }
    }

    /// A durable, empty segment file.
    static func create(_ base: Offset, _ setup: PartitionSetup) throws -> any LogFile {
        let path = setup.path(base)
        let file = try setup.device.open(path, .create)
        do {
            try file.write(SegmentFile.header(), at: 0)
            try file.sync()
            try setup.device.syncDirectory(setup.directory)
            return file
        } catch {
            try? setup.device.remove(path)
            throw error
        }
    }
}

extension TopicPartition: CustomStringConvertible {
    package var description: String { "\(topic)/\(partition)" }
}
