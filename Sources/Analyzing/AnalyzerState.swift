import Analytics
import Records
import TimeSeries

/// What became of a record's samples.
package struct IngestOutcome: Sendable, Equatable {
    package var accepted = 0
    package var late = 0
    package var duplicates = 0
    package var conflicts = 0
    package var tooLate = 0
    package var future = 0
    package var invalidTime = 0
    /// Samples of series for which there is no room.
    package var overLimit = 0
}

/// Everything that one step gives to the outside.
package struct AnalyzerOutput: Sendable {
    package var results: [(shard: Shard, record: ResultRecord)] = []
    package var chunks: [(shard: Shard, chunks: [ChunkResult])] = []
    package var modelStates: [(shard: Shard, states: [ModelStateResult])] = []
    package var lines: [EvaluationLogLine] = []

    package var isEmpty: Bool { results.isEmpty && chunks.isEmpty && modelStates.isEmpty && lines.isEmpty }
}

/// The analyzer as a pure state machine: records and the time go in, results and sealed chunks come out. No I/O.
package struct AnalyzerState: Sendable {
    package let options: AnalyzeOptions
    package let epoch: Int64
    var table: SeriesTable
    var clock: EventClock
    var schedules: [UInt64: SourceSchedule] = [:]
    var scratch = WindowScratch()
    /// Offset of the last record consumed, one per partition: the revision of what is computed from it.
    var consumed: [Int32: Int64] = [:]
    let partitions: Int
    /// Seconds of monotonic time; for the time logs.
    let stopwatch: @Sendable () -> Double
    var ingestSeconds = 0.0
    /// Series with late samples whose past rows must be given again.
    var dirty: Set<Int32> = []
    /// Chunks sealed while taking samples, to be given with the next step.
    var sealedEarly: [(shard: Shard, chunks: [ChunkResult])] = []
    /// The source of restored series that no source has sent yet.
    static let orphans: UInt64 = 1

    package init(options: AnalyzeOptions, epoch: Int64, partitions: Int, stopwatch: @escaping @Sendable () -> Double) {
        self.options = options
        self.epoch = epoch
        self.partitions = max(1, partitions)
        self.stopwatch = stopwatch
        clock = EventClock(idleTimeout: options.idleTimeout)
        table = SeriesTable(limit: options.maxSeries)
    }

    package var seriesCount: Int { table.count }

    /// Series held at most from now on; those that are held stay.
    package mutating func limit(series: Int) { table.limit = series }

    /// Bytes of all histories, for the memory gauge. O(series).
    package var historyBytes: Int {
        (0..<Int32(table.bound)).reduce(0) { $0 + table[$1].history.memoryBytes }
    }

    // MARK: Input

    /// Takes one record of the topic `samples`. Throws for bytes that are no such record; then nothing of it was taken.
    package mutating func ingest(
        _ bytes: [UInt8], partition: Int32, offset: Int64, now: Milliseconds
    ) throws(DecodingFailure) -> IngestOutcome {
        let started = stopwatch()
        defer { ingestSeconds += stopwatch() - started }
        consumed[partition] = max(consumed[partition] ?? 0, offset)
        return try bytes.withUnsafeBufferPointer { (elements) throws(DecodingFailure) in
            let raw = UnsafeRawBufferPointer(elements)
            let record = try SamplesRecord(decoding: raw)
            let ids = try table.section(
                hash: record.sectionHash, bytes: UnsafeRawBufferPointer(rebasing: raw[record.sectionRange]))
            guard ids.count == (record.counts?.count ?? record.values.count) else {
                throw DecodingFailure(offset: 0, message: "the columns do not match the section of series")
            }
            var outcome = IngestOutcome()
            // Records of one source are in order within a partition only, so a promise holds for its partition.
            let source = record.source &+ UInt64(bitPattern: Int64(partition)) &* 0x9E37_79B9_7F4A_7C15
            join(ids, to: source, now: now)
            append(record, ids, source, offset: offset, now: now, &outcome)
            clock.observe(source: source, watermark: min(record.watermark, now + options.futureBound), now: now)
            return outcome
        }
    }

    private mutating func append(
        _ record: SamplesRecord, _ ids: [Int32], _ source: UInt64, offset: Int64, now: Milliseconds, _ outcome: inout IngestOutcome
    ) {
        let latest = now + options.futureBound
        let place = Place(offset: offset, latest: latest, given: (schedules[source]?.next ?? .min / 2) - options.interval)
        if let counts = record.counts {
            var at = 0
            for (id, count) in zip(ids, counts) {
                for i in at..<(at + count) { append(id, record.times[i], record.values[i], place, &outcome) }
                at += count
            }
        } else if let time = record.times.first {
            for i in ids.indices { append(ids[i], time, record.values[i], place, &outcome) }
        }
        if let first = record.times.min(), schedules[source]?.next == nil, first > 0, first <= latest {
            let next = gridTime(max(first, now - options.oldest))
            schedules[source]?.next = next
        }
    }

    /// What samples of one record have in common.
    private struct Place {
        var offset: Int64
        /// Times after this are refused.
        var latest: Milliseconds
        /// Rows up to this time have been given.
        var given: Milliseconds
    }

    /// The first time of the grid at or after `time`.
    func gridTime(_ time: Milliseconds) -> Milliseconds { (time + options.interval - 1) / options.interval * options.interval }

    @inline(__always)
    private mutating func append(
        _ id: Int32, _ time: Milliseconds, _ value: Double, _ place: Place, _ outcome: inout IngestOutcome
    ) {
        if id == SeriesTable.refused {
            outcome.overLimit += 1
            return
        }
        if time <= 0 {
            outcome.invalidTime += 1
            return
        }
        if time > place.latest {
            outcome.future += 1
            return
        }
        if place.offset < table[id].replayFrom {
            outcome.duplicates += 1
            return
        }
        switch table[id].history.append(time: time, value: value) {
        case .appended:
            outcome.accepted += 1
            // After a silence the rows of its time have been given without it.
            if time <= place.given { noteLate(id, time) }
        case .late:
            outcome.accepted += 1
            outcome.late += 1
            noteLate(id, time)
        case .duplicate:
            outcome.duplicates += 1
            return
        case .conflict:
            outcome.conflicts += 1
            return
        case .tooLate:
            outcome.tooLate += 1
            return
        case .farAhead:
            // The open samples are weeks older: no late one can be allowed among them any more.
            let sealed = sealSeries(id, through: time - options.allowedLateness, keepsGaps: false, next: place.offset)
            if !sealed.isEmpty { sealedEarly.append((table[id].key.id.shard, sealed)) }
            if table[id].history.append(time: time, value: value) == .appended { outcome.accepted += 1 }
        }
        if time > table[id].openEnd || time <= table[id].openStart { noteChunk(id, time, place.offset) }
    }

    private mutating func noteLate(_ id: Int32, _ time: Milliseconds) {
        table[id].dirtyFrom = min(table[id].dirtyFrom, time)
        dirty.insert(id)
    }

    private mutating func noteChunk(_ id: Int32, _ time: Milliseconds, _ offset: Int64) {
        let start = SampleHistory.chunkStart(of: time, span: options.chunkSpan)
        table[id].openOffsets.note(start: start, offset: offset)
        table[id].openStart = start
        table[id].openEnd = start + options.chunkSpan
    }

    /// A series belongs to one source: the one that sent it first, until that falls silent and another sends it.
    private mutating func join(_ ids: [Int32], to source: UInt64, now: Milliseconds) {
        if schedules[source] == nil { schedules[source] = SourceSchedule() }
        var moved: [UInt64: Set<Int32>] = [:]
        for id in ids where id != SeriesTable.refused && table[id].source != source {
            let before = table[id].source
            if schedules[before] != nil {
                if !clock.isSilent(before, now: now) { continue }
                moved[before, default: []].insert(id)
            }
            table[id].source = source
            schedules[source]?.members.append(id)
            schedules[source]?.isSorted = false
        }
        for (before, gone) in moved { schedules[before]?.members.removeAll { gone.contains($0) } }
    }

    // MARK: Places in the input

    /// Per partition, the least offset that a new owner would need, given all chunks emitted so far: what the group may commit. O(series).
    package func neededOffsets() -> [Int32: Int64] {
        var needed = consumed.mapValues { $0 + 1 }
        for id in 0..<Int32(table.bound) {
            guard let least = table[id].openOffsets.least else { continue }
            let partition = partition(of: table[id].key.id.shard)
            needed[partition] = min(needed[partition] ?? least, least)
        }
        return needed
    }

    func partition(of shard: Shard) -> Int32 { Int32(Int(shard.index) % partitions) }

    func revision(of shard: Shard) -> Revision {
        Revision(epoch: epoch, offset: (consumed[partition(of: shard)] ?? -1) + 1)
    }

    // MARK: Taking over

    /// Takes chunks of an earlier owner, by series then start. A chunk that is damaged or lies in the future is left out and named in the returned list.
    package mutating func restore(_ chunks: [ChunkResult], now: Milliseconds) -> [String] {
        var problems: [String] = []
        for chunk in chunks {
            let place = "\(chunk.series.labels) from \(chunk.start) to \(chunk.end)"
            if chunk.start > now + options.futureBound {
                problems.append("\(place): it lies in the future; was the clock ahead?")
                continue
            }
            let id = table.intern(chunk.series)
            do {
                try table[id].history.restore(start: chunk.start, end: chunk.end, data: chunk.data, scratch: &scratch)
            } catch {
                // Its time stays sealed: replaying part of it would count some samples and not others.
                table[id].history.markSealed(through: chunk.end)
                problems.append("\(place): \(error)")
            }
            table[id].replayFrom = chunk.replayOffset
        }
        return problems
    }

    /// Offsets beyond the end of the log are of a log that is no more: they say nothing of this one.
    package mutating func distrustOffsets(beyond end: [Int32: Int64]) {
        for id in 0..<Int32(table.bound) where table[id].replayFrom > end[partition(of: table[id].key.id.shard)] ?? 0 {
            table[id].replayFrom = 0
        }
    }

    /// After the replay: sources go on evaluating from the newest rows that an earlier owner gave, less the allowed lateness. Restored series that no source
    /// has sent follow the wall clock until one does.
    package mutating func resume(latestRows: [Fingerprint: Milliseconds], now: Milliseconds) {
        adoptOrphans(now: now)
        for (source, schedule) in schedules {
            let newest = schedule.members.compactMap { latestRows[table[$0].key.id] }.max()
            guard let newest else { continue }
            let resumed = min(newest, now)
            let next = gridTime(max(resumed - options.allowedLateness + 1, options.interval))
            let fineFrom = gridTime(resumed)
            schedules[source]?.next = next
            schedules[source]?.fineFrom = fineFrom
        }
    }

    private mutating func adoptOrphans(now: Milliseconds) {
        var orphans = SourceSchedule()
        var newest: Milliseconds = 0
        for id in 0..<Int32(table.bound) where table[id].source == 0 {
            guard let last = table[id].history.lastTime else { continue }
            table[id].source = AnalyzerState.orphans
            orphans.members.append(id)
            newest = max(newest, last)
        }
        if orphans.members.isEmpty { return }
        orphans.isSorted = false
        orphans.next = gridTime(newest)
        schedules[AnalyzerState.orphans] = orphans
        // Silent from the start, so that whoever sends them takes them.
        clock.observe(source: AnalyzerState.orphans, watermark: newest, now: now - options.idleTimeout - 1)
    }
}
