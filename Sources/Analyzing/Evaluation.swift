import Analytics
import Records
import TimeSeries

extension AnalyzerState {
    /// How many grid times one step evaluates at most: between steps new records are taken and results go out.
    private static let timesPerStep = 12
    /// How many rows one late sample can bring back at most: 24 hours of history and 20 minutes of the grid.
    private static let revisedRows = 512

    /// Evaluates what is due, seals what can be sealed, forgets what is too old. `isMore` says that more is due at once.
    package mutating func advance(now: Milliseconds) -> (output: AnalyzerOutput, isMore: Bool) {
        var output = AnalyzerOutput()
        var isMore = false
        let fetch = ingestSeconds
        ingestSeconds = 0
        for source in clock.sourceIDs {
            sortMembers(source)
            let watermark = clock.watermark(of: source, now: now)
            guard var schedule = schedules[source] else { continue }
            let due = schedule.due(
                watermark: watermark, interval: options.interval, coarse: options.catchUpInterval,
                fine: options.allowedLateness, limit: AnalyzerState.timesPerStep)
            schedules[source]?.next = schedule.next
            for (i, t) in due.enumerated() {
                let isLast = i == due.count - 1
                evaluateWindows(schedule.members, at: t, fetch: fetch, &output)
                // What a series is like and what comes next are said of the present only.
                if isLast, watermark - t < 8 * options.interval { evaluateModels(schedule.members, at: t, now: now, &output) }
            }
            if due.count == AnalyzerState.timesPerStep { isMore = true }
        }
        reviseLate(&output)
        seal(now: now, &output)
        return (output, isMore)
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
        _ members: [Int32], at t: Milliseconds, fetch: Double, _ output: inout AnalyzerOutput
    ) {
        var durations = DurationCollector()
        durations.fetch = fetch
        var pending: [WindowsResult] = []
        var shard: Shard?
        for id in members {
            let own = table[id].key.id.shard
            if let current = shard, current != own {
                output.results.append((current, .windows(pending)))
                pending = []
            }
            shard = own
            let started = stopwatch()
            pending.append(windowsResult(id, at: t))
            durations.add(stopwatch() - started)
        }
        if let shard, !pending.isEmpty { output.results.append((shard, .windows(pending))) }
        if !durations.isEmpty { output.lines.append(durations.line(.value, time: t)) }
    }

    private mutating func windowsResult(_ id: Int32, at t: Milliseconds) -> WindowsResult {
        var moments: [Moments] = []
        table[id].history.evaluate(at: t, windows: options.windows, scratch: &scratch, into: &moments)
        var quantiles: [WindowQuantiles?] = []
        if options.quantiles { quantiles = table[id].history.quantiles(at: t, windows: options.windows, moments: moments, scratch: &scratch) }
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

    /// Gives the rows again that late samples changed, with a higher revision.
    private mutating func reviseLate(_ output: inout AnalyzerOutput) {
        for id in dirty.sorted() {
            let from = table[id].dirtyFrom
            table[id].dirtyFrom = .max
            guard let next = schedules[table[id].source]?.next else { continue }
            // Within twice the allowed lateness every row is given again; before that (a sample of a series of which nothing was sealed yet, or a
            // replay) only what the history keeps.
            let fine = next - 2 * options.allowedLateness
            var t = from
            var rows = 0
            while rows < AnalyzerState.revisedRows {
                let step = t < fine ? options.catchUpInterval : options.interval
                t = (t + step - 1) / step * step
                if t >= next { break }
                output.results.append((table[id].key.id.shard, .windows([windowsResult(id, at: t)])))
                t += 1
                rows += 1
            }
        }
        dirty.removeAll()
    }

    // MARK: Sealing

    private mutating func seal(now: Milliseconds, _ output: inout AnalyzerOutput) {
        for source in clock.sourceIDs {
            guard let schedule = schedules[source] else { continue }
            let watermark = clock.sealingWatermark(of: source, now: now)
            guard watermark > options.allowedLateness else { continue }
            let through = watermark - options.allowedLateness
            let boundary = through - through % options.chunkSpan
            guard boundary > schedule.sealed else { continue }
            schedules[source]?.sealed = boundary
            sealMembers(schedule.members, source: source, through: boundary, &output)
        }
    }

    private mutating func sealMembers(
        _ members: [Int32], source: UInt64, through boundary: Milliseconds, _ output: inout AnalyzerOutput
    ) {
        var gone: [Int32] = []
        for id in members {
            let key = table[id].key
            let shard = key.id.shard
            let sealed = table[id].history.seal(through: boundary, span: options.chunkSpan)
            table[id].openOffsets.drop(before: boundary)
            let replay = table[id].openOffsets.least ?? (consumed[partition(of: shard)] ?? -1) + 1
            let results = sealed.map {
                ChunkResult(
                    series: key, start: $0.start, end: $0.end, revision: revision(of: shard), count: $0.count, replayOffset: replay,
                    moments: $0.moments, data: $0.data)
            }
            if !results.isEmpty { output.chunks.append((shard, results)) }
            table[id].history.expire(before: boundary - options.holding - options.chunkSpan)
            if table[id].history.isEmpty { gone.append(id) }
        }
        forget(gone, source: source)
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
