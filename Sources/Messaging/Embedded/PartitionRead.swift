import Logging
import Synchronization
import Telemetry
import TimeSeries

/// A reader's place in one partition.
struct PartitionCursor: Sendable {
    /// The next record wanted.
    var offset: Offset
    /// The open segment, and a place in it where the frame with `frameOffset` stands.
    fileprivate var open: (base: Offset, file: any LogFile)?
    fileprivate var position: Int64 = 0
    fileprivate var frameOffset: Offset = 0

    init(offset: Offset) { self.offset = offset }
}

/// May block; called on the readers' threads.
extension PartitionLog {
    /// A segment as it was when the view was looked at.
    private struct Place {
        var base: Offset
        var bytes: Int64
        var end: Offset
        var entry: IndexEntry?
    }

    func hasRecords(for cursor: PartitionCursor) -> Bool { view.withLock { cursor.offset < $0.nextOffset } }

    /// Appends up to about `maxBytes` of records to `records`; at least one if there is any. Damaged bytes are skipped, counted and
    /// logged. Returns the bytes of the frames.
    func read(_ cursor: inout PartitionCursor, maxBytes: Int, into records: inout [ConsumerRecord]) throws -> Int {
        var taken = 0
        while taken < maxBytes, let place = locate(&cursor) {
            guard try open(place, &cursor) else { continue }
            let (bytes, finished) = try readSegment(place, &cursor, budget: maxBytes - taken, into: &records)
            taken += bytes
            if !finished { break }
        }
        return taken
    }

    /// The offset of the first record that was appended at or after `time`; the next offset if there is none.
    func offset(at time: Milliseconds) throws -> Offset {
        let (segments, next) = view.withLock { ($0.segments, $0.nextOffset) }
        for (i, segment) in segments.enumerated() where (segment.lastTime ?? .max) >= time {
            let end = i + 1 < segments.count ? segments[i + 1].base : next
            guard let file = try openIfPresent(segment.base) else { continue }
            var window = SegmentWindow(file, size: segment.bytes, blockBytes: 256 << 10)
            let entry = segment.index?.entry(time: time) ?? SparseIndex(base: segment.base).entry(time: time)
            var position = entry.position
            var offset = entry.offset
            while position < segment.bytes && offset < end {
                switch try window.frame(at: position, expecting: offset) {
                case .frame(let header):
                    if header.time >= time { return header.offset }
                    position += Int64(header.totalBytes)
                    offset += 1
                case .damaged:
                    guard let found = try window.nextFrame(after: position, expecting: offset, below: end) else {
                        offset = end
                        break
                    }
                    (position, offset) = found
                }
            }
        }
        return next
    }

    private func locate(_ cursor: inout PartitionCursor) -> Place? {
        view.withLock { view in
            if cursor.offset > view.nextOffset { cursor.offset = view.nextOffset }
            if cursor.offset == view.nextOffset { return nil }
            if cursor.offset < view.earliest {
                setup.metrics.skippedPositions.add()
                cursor.offset = view.earliest
            }
            guard let i = view.segment(containing: cursor.offset) else { return nil }
            let segment = view.segments[i]
            return Place(
                base: segment.base, bytes: segment.bytes, end: view.end(of: i), entry: segment.index?.entry(at: cursor.offset))
        }
    }

    /// False if retention has removed the file meanwhile.
    private func open(_ place: Place, _ cursor: inout PartitionCursor) throws -> Bool {
        if cursor.open?.base == place.base && cursor.frameOffset <= cursor.offset { return true }
        if cursor.open?.base != place.base {
            guard let file = try openIfPresent(place.base) else {
                // The view knows by now; if it does not, the file was taken away from outside.
                if view.withLock({ $0.segments.contains { $0.base == place.base } }) {
                    reportDamage("a segment file is missing", place.base, position: 0, resume: place.end)
                    cursor.offset = place.end
                }
                return false
            }
            cursor.open = (place.base, file)
        }
        cursor.position = place.entry?.position ?? Int64(SegmentFile.headerBytes)
        cursor.frameOffset = place.entry?.offset ?? place.base
        return true
    }

    private func openIfPresent(_ base: Offset) throws -> (any LogFile)? {
        do { return try setup.device.open(setup.path(base), .read) } catch let error as DeviceError where error.isMissing {
            return nil
        }
    }

    /// `finished`: the segment holds nothing more for this reader.
    private func readSegment(
        _ place: Place, _ cursor: inout PartitionCursor, budget: Int, into records: inout [ConsumerRecord]
    ) throws -> (bytes: Int, finished: Bool) {
        guard let file = cursor.open?.file else { return (0, false) }
        var window = SegmentWindow(file, size: place.bytes, blockBytes: Int(min(Int64(budget), place.bytes)))
        var taken = 0
        while cursor.frameOffset < place.end && cursor.position < place.bytes {
            if taken > 0 && (taken >= budget || !window.holdsFrame(at: cursor.position)) { return (taken, false) }
            var fault: SegmentWindow.FrameFault
            switch try window.frame(at: cursor.position, expecting: cursor.frameOffset) {
            case .frame(let header):
                let wanted = header.offset >= cursor.offset
                var record: ConsumerRecord?
                if wanted {
                    record = window.body(of: header, at: cursor.position) { Frame.record(in: $0, header: header, place: self.place) }
                }
                if let record {
                    records.append(record)
                    taken += header.totalBytes
                }
                if record != nil || !wanted {
                    advance(&cursor, to: cursor.position + Int64(header.totalBytes), header.offset + 1)
                    continue
                }
                fault = .malformed
            case .damaged(let found): fault = found
            }
            let next = try window.nextFrame(after: cursor.position, expecting: cursor.frameOffset, below: place.end)
            reportDamage(fault.rawValue, place.base, position: cursor.position, resume: next?.offset ?? place.end)
            advance(&cursor, to: next?.position ?? place.bytes, next?.offset ?? place.end)
        }
        if cursor.frameOffset < place.end, !wasCut(place) {
            reportDamage("the records at the end are missing", place.base, position: place.bytes, resume: place.end)
        }
        cursor.offset = max(cursor.offset, place.end)
        return (taken, true)
    }

    /// Recovery cut and counted what followed, and left offsets out. O(1), one system call.
    private func wasCut(_ place: Place) -> Bool {
        (try? setup.device.open(setup.cutPath(place.base, position: place.bytes), .read)) != nil
    }

    private func advance(_ cursor: inout PartitionCursor, to position: Int64, _ offset: Offset) {
        cursor.position = position
        cursor.frameOffset = offset
        cursor.offset = max(cursor.offset, offset)
    }

    private func reportDamage(_ reason: String, _ base: Offset, position: Int64, resume: Offset) {
        setup.metrics.corruptFrames.add()
        setup.logger.error(
            "damaged bytes in a segment were skipped",
            metadata: [
                "file": "\(setup.path(base))", "position": "\(position)", "reason": "\(reason)", "resumed_at_offset": "\(resume)",
            ])
    }
}
