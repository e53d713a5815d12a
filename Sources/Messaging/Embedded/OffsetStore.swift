import Logging
import Synchronization
import Telemetry
import TimeSeries

/// What groups have committed: one file of frames, each with the group as its key and topic, partition and offset as its value.
/// The last entry counts. The file is written anew when it holds far more entries than there are partitions.
final class OffsetStore: Sendable {
    struct Key: Hashable, Sendable {
        var group: String
        var partition: TopicPartition
    }

    private struct Writer {
        /// nil after a failed sync: the next commit writes the whole file anew.
        var file: (any LogFile)?
        var bytes: Int64
        var entries: Int64
    }

    private let device: any LogDevice
    private let directory: String
    private let compactionBytes: Int64
    private let metrics: LogMetrics
    private let logger: Logger
    /// Durable offsets.
    private let committed: Mutex<[Key: Offset]>
    /// Held by the writer's thread for the time of a write.
    private let writer: Mutex<Writer>

    private static func path(_ directory: String) -> String { directory + "/offsets.log" }

    /// Reads the file; cuts a torn tail. O(size).
    init(_ directory: String, device: any LogDevice, metrics: LogMetrics, logger: Logger, compactionBytes: Int64 = 1 << 20) throws {
        self.device = device
        self.directory = directory
        self.metrics = metrics
        self.logger = logger
        self.compactionBytes = compactionBytes
        var offsets: [Key: Offset] = [:]
        var writer = Writer(file: nil, bytes: 0, entries: 0)
        let path = OffsetStore.path(directory)
        if try device.list(directory).contains("offsets.log") {
            let file = try device.open(path, .readWrite)
            _ = try SegmentFile.checkHeader(file, path: path)
            let size = try file.size()
            let scan = try SegmentScan(file, base: 0, size: size) { header, body in
                guard let (key, offset) = OffsetStore.entry(header, body) else { return }
                offsets[key] = offset
            }
            if scan.tail != nil || !scan.holes.isEmpty {
                logger.warning(
                    "damage in the file of committed offsets; groups go on from the last sound entry",
                    metadata: ["file": "\(path)", "position": "\(scan.end)", "bytes_dropped": "\(size - scan.end)"])
            }
            // A damaged or headless file is written anew by the next commit.
            if scan.tail == nil && scan.holes.isEmpty && size >= Int64(SegmentFile.headerBytes) {
                try file.sync()
                writer = Writer(file: file, bytes: scan.end, entries: scan.nextOffset)
            }
        }
        committed = Mutex(offsets)
        self.writer = Mutex(writer)
    }

    func offset(group: String, _ partition: TopicPartition) -> Offset? {
        committed.withLock { $0[Key(group: group, partition: partition)] }
    }

    func offsets(group: String, topic: String) -> [TopicPartition: Offset] {
        committed.withLock { all in
            var found: [TopicPartition: Offset] = [:]
            for (key, offset) in all where key.group == group && key.partition.topic == topic { found[key.partition] = offset }
            return found
        }
    }

    func all() -> [Key: Offset] { committed.withLock { $0 } }

    /// Makes the offsets durable; on the writer's thread. After an error none of them is visible. O(entries).
    func append(_ offsets: [(Key, Offset)], time: Milliseconds) throws {
        if offsets.isEmpty { return }
        var merged = committed.withLock { $0 }
        for (key, offset) in offsets { merged[key] = offset }
        try writer.withLock { writer in
            if writer.file != nil && writer.bytes < max(compactionBytes, 200 * Int64(merged.count)) {
                try append(offsets, time, &writer)
            } else {
                try rewrite(merged, time, &writer)
            }
        }
        committed.withLock { $0 = merged }
        metrics.commits.add(offsets.count)
    }

    func close() { writer.withLock { $0.file = nil } }

    private func append(_ offsets: [(Key, Offset)], _ time: Milliseconds, _ writer: inout Writer) throws {
        guard let file = writer.file else { return }
        let batch = OffsetStore.batch(offsets, firstOffset: writer.entries, time: time)
        do { try file.write(batch.bytes, at: writer.bytes) } catch {
            metrics.writeFailures.add()
            if (try? file.truncate(to: writer.bytes)) == nil { writer.file = nil }
            throw error
        }
        do { try file.sync() } catch {
            metrics.syncFailures.add()
            writer.file = nil
            try? file.truncate(to: writer.bytes)
            throw error
        }
        metrics.syncs.add()
        writer.bytes += Int64(batch.bytes.count)
        writer.entries += Int64(offsets.count)
    }

    private func rewrite(_ offsets: [Key: Offset], _ time: Milliseconds, _ writer: inout Writer) throws {
        let batch = OffsetStore.batch(offsets.map { ($0.key, $0.value) }, firstOffset: 0, time: time)
        let bytes = SegmentFile.header() + batch.bytes
        do {
            let file = try device.replace(OffsetStore.path(directory), in: directory, with: bytes)
            writer = Writer(file: file, bytes: Int64(bytes.count), entries: Int64(batch.count))
        } catch {
            // The rename may have happened or not: only another rewrite is safe.
            writer.file = nil
            metrics.writeFailures.add()
            throw error
        }
    }

    private static func batch(_ offsets: [(Key, Offset)], firstOffset: Offset, time: Milliseconds) -> FrameBatch {
        var batch = FrameBatch()
        for (key, offset) in offsets {
            var value: [UInt8] = []
            value.appendLittleEndian(offset)
            value.appendLittleEndian(key.partition.partition)
            value.append(contentsOf: key.partition.topic.utf8)
            batch.append(ProducerRecord(topic: "", key: .text(key.group), value: value))
        }
        batch.seal(firstOffset: firstOffset, time: time)
        return batch
    }

    private static func entry(_ header: FrameHeader, _ body: UnsafeRawBufferPointer) -> (Key, Offset)? {
        guard let record = Frame.record(in: body, header: header, place: TopicPartition("", 0)), case .text(let group) = record.key else {
            return nil
        }
        return record.value.withUnsafeBytes { raw in
            var input = ByteCursor(raw)
            guard let offset = input.integer(Int64.self), let partition = input.integer(Int32.self), let topic = input.bytes(input.left)
            else { return nil }
            return (Key(group: group, partition: TopicPartition(String(decoding: topic, as: UTF8.self), partition)), offset)
        }
    }
}
