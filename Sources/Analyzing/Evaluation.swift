import Analytics
import Records
import TimeSeries

extension AnalyzerState {
    /// How many grid times one step evaluates at most: between steps new records are taken and results go out.
    private static let timesPerStep = 12
    /// Rows in one step at most, but for one time of one source: what they take of memory until they are sent.
    private static let rowsPerStep = 50_000
    /// How many rows one late sample can bring back at most: 24 hours of history and 20 minutes of the grid.
    private static let revisedRows = 512

    /// Evaluates what is due, seals what can be sealed, forgets what is too old. `isMore` says that more is due at once.
    package mutating func advance(now: Milliseconds) -> (output: AnalyzerOutput, isMore: Bool) {
        var output = AnalyzerOutput()
        var isMore = false
        output.chunks = sealedEarly
        sealedEarly = []
        if clock.clamp(to: now + options.futureBound) { returnFromTheFuture(now: now) }
        for source in clock.sourceIDs {
            sortMembers(source)
            let watermark = clock.watermark(of: source, now: now)
            guard var schedule = schedules[source] else { continue }
            let due = schedule.due(
                watermark: watermark, interval: options.interval, coarse: options.catchUpInterval,
                fine: options.allowedLateness, limit: timesPerStep(schedule.members.count))
            schedules[source]?.next = schedule.next
            for (i, t) in due.enumerated() {
                let isLast = i == due.count - 1
                let isPast = watermark - t >= 8 * options.interval
                evaluateWindows(schedule.members, at: t, skipsEmpty: isPast, &output)
                // What a series is like and what comes next are said of the present only.
                if isLast, !isPast {
                    detectAnomalies(schedule.members, after: schedule.modelsAt ?? t - options.interval, at: t, &output)
                    evaluateModels(schedule.members, after: schedule.modelsAt ?? t - options.interval, at: t, &output)
                    schedules[source]?.modelsAt = t
                }
            }
            if !due.isEmpty, let next = schedules[source]?.next, next <= watermark { isMore = true }
        }
        if reviseLate(&output) { isMore = true }
        seal(now: now, &output)
        return (output, isMore)
    }

    private func timesPerStep(_ members: Int) -> Int {
        max(1, min(AnalyzerState.timesPerStep, AnalyzerState.rowsPerStep / max(1, members)))
    }

    /// The wall clock was ahead and has come back: what was dated ahead goes, so that what comes now is not late for ever.
    private mutating func returnFromTheFuture(now: Milliseconds) {
        let limit = now + options.futureBound
        for (source, schedule) in schedules {
            schedules[source]?.sealed = min(schedule.sealed, limit)
            schedules[source]?.expired = min(schedule.expired, limit)
            let next = schedule.next.map { min($0, gridTime(now)) }
            schedules[source]?.next = next
            for id in schedule.members {
                table[id].history.forget(after: limit)
                table[id].rollup.forget(after: limit, slot: options.rollupSlot)
                // What was learnt of times ahead would refuse what comes now.
                table[id].models = SeriesModels()
                table[id].openOffsets.clamp(to: SampleHistory.chunkStart(of: limit, span: options.chunkSpan))
                (table[id].openStart, table[id].openEnd) = (.max, .min)
            }
        }
    }

    private mutating func sortMembers(_ source: UInt64) {
        guard let schedule = schedules[source], !schedule.isSorted else { return }
        let sorted = schedule.members.sorted { a, b in
            (table[a].key.id.shard.index, a) < (table[b].key.id.shard.index, b)
        }
        schedules[source]?.members = sorted
        schedules[source]?.isSorted = true
    }

    // MARK: Windows

    private mutating func evaluateWindows(
        _ members: [Int32], at t: Milliseconds, skipsEmpty: Bool, _ output: inout AnalyzerOutput
    ) {
        var durations = DurationCollector(keepsEach: options.timesEachSeries)
        durations.fetch = ingestSeconds
        ingestSeconds = 0
        var pending: [WindowsResult] = []
        var shard: Shard?
        for id in members {
            let own = table[id].key.id.shard
            if let current = shard, current != own, !pending.isEmpty {
                output.results.append((current, .windows(pending)))
                pending = []
            }
            shard = own
            let started = stopwatch()
            let result = windowsResult(id, at: t)
            durations.add(stopwatch() - started, table[id].key)
            if !skipsEmpty || result.windows.contains(where: { $0.count > 0 }) { pending.append(result) }
        }
        if let shard, !pending.isEmpty { output.results.append((shard, .windows(pending))) }
        if !durations.isEmpty { output.lines.append(durations.line(.value, time: t)) }
    }

    private mutating func windowsResult(_ id: Int32, at t: Milliseconds) -> WindowsResult {
        var moments: [Moments] = []
        table[id].history.evaluate(at: t, windows: options.windows, scratch: &scratch, into: &moments)
        var quantiles: [WindowQuantiles?] = []
        if options.quantiles {
            quantiles = table[id].history.quantiles(at: t, windows: options.windows, moments: moments, scratch: &scratch)
        }
        var statistics: [WindowStatistics] = []
        statistics.reserveCapacity(moments.count)
        for (i, m) in moments.enumerated() {
            let q = i < quantiles.count ? quantiles[i] : nil
            statistics.append(
                WindowStatistics(
                    window: options.windows[i], count: m.count, min: m.count > 0 ? m.min : nil, max: m.count > 0 ? m.max : nil,
                    avg: m.count > 0 ? m.mean.ifFinite : nil, stddev: m.stddev?.ifFinite, p50: q?.p50.ifFinite, p95: q?.p95.ifFinite,
                    p99: q?.p99.ifFinite))
        }
        let key = table[id].key
        return WindowsResult(series: key, time: t, revision: revision(of: key.id.shard), windows: statistics)
    }

    /// Gives the rows again that late samples changed, with a higher revision. True if some are left for the next step.
    private mutating func reviseLate(_ output: inout AnalyzerOutput) -> Bool {
        var total = 0
        for id in dirty.sorted() {
            if total > AnalyzerState.rowsPerStep { return true }
            dirty.remove(id)
            let from = table[id].dirtyFrom
            table[id].dirtyFrom = .max
            guard let next = schedules[table[id].source]?.next else { continue }
            // Within twice the allowed lateness every row is given again; before that (a sample of a series of which nothing was sealed yet, or a
            // replay) only what the history keeps.
            let fine = next - 2 * options.allowedLateness
            // A sample older than the longest window changes no row that anybody looks at any more.
            var t = max(from, next - options.holding)
            var rows = 0
            while rows < AnalyzerState.revisedRows {
                let step = t < fine ? options.catchUpInterval : options.interval
                t = (t + step - 1) / step * step
                if t >= next { break }
                output.results.append((table[id].key.id.shard, .windows([windowsResult(id, at: t)])))
                t += 1
                rows += 1
            }
            total += rows
        }
        return false
    }

    // MARK: Sealing

    private mutating func seal(now: Milliseconds, _ output: inout AnalyzerOutput) {
        for source in clock.sourceIDs {
            guard let schedule = schedules[source] else { continue }
            let watermark = clock.sealingWatermark(of: source, now: now)
            let isBySilence = watermark > clock.promise(of: source)
            guard watermark > options.allowedLateness else { continue }
            let through = watermark - options.allowedLateness
            let boundary = through - through % options.chunkSpan
            if boundary > schedule.sealed {
                schedules[source]?.sealed = boundary
                sealMembers(schedule.members, through: boundary, keepsGaps: isBySilence, &output)
            }
            // Evaluations that are still to be made need their past.
            let behind = min(boundary, schedule.next ?? boundary)
            let expired = behind - behind % options.chunkSpan
            if expired > schedule.expired {
                schedules[source]?.expired = expired
                expireMembers(schedule.members, source: source, before: expired - options.holding - options.chunkSpan, &output)
            }
        }
    }

    private mutating func sealMembers(
        _ members: [Int32], through boundary: Milliseconds, keepsGaps: Bool, _ output: inout AnalyzerOutput
    ) {
        for id in members {
            let results = sealSeries(id, through: boundary, keepsGaps: keepsGaps)
            if !results.isEmpty { output.chunks.append((table[id].key.id.shard, results)) }
        }
    }

    private mutating func expireMembers(
        _ members: [Int32], source: UInt64, before time: Milliseconds, _ output: inout AnalyzerOutput
    ) {
        var gone: [Int32] = []
        for id in members {
            table[id].history.expire(before: time)
            guard table[id].history.isEmpty else { continue }
            gone.append(id)
            if let ended = finishDetection(id) { output.results.append((ended.series.id.shard, .anomalies([ended]))) }
        }
        forget(gone, source: source)
    }

    /// - Parameter next: the offset from which a replay is needed where no chunk stays open; nil: after all that was read.
    mutating func sealSeries(_ id: Int32, through boundary: Milliseconds, keepsGaps: Bool, next: Int64? = nil) -> [ChunkResult] {
        let key = table[id].key
        let shard = key.id.shard
        let sealed = table[id].history.seal(through: boundary, span: options.chunkSpan, keepsGaps: keepsGaps)
        if let last = sealed.last { table[id].openOffsets.drop(before: last.end) }
        rollUp(id, sealed)
        let replay = table[id].openOffsets.least ?? next ?? (consumed[partition(of: shard)] ?? -1) + 1
        return sealed.map {
            ChunkResult(
                series: key, start: $0.start, end: $0.end, revision: revision(of: shard), count: $0.count, replayOffset: replay,
                moments: $0.moments, data: $0.data)
        }
    }

    /// A series with no sample in any window any more leaves; its history stays in the store.
    private mutating func forget(_ gone: [Int32], source: UInt64) {
        if gone.isEmpty { return }
        let set = Set(gone)
        schedules[source]?.members.removeAll { set.contains($0) }
        for id in gone {
            dirty.remove(id)
            table.remove(id)
        }
        if schedules[source]?.members.isEmpty ?? true {
            schedules[source] = nil
            clock.forget(source)
        }
    }
}

extension Double {
    var ifFinite: Double? { isFinite ? self : nil }
}
