import Records
import TimeSeries

/// What has been sent of each series of a Prometheus server: finds what is new in answers that overlap, and the ends of series.
struct SeriesLedger {
    struct Series {
        let fingerprint: Fingerprint
        var key: Int32
        /// A series without a sample for so long has ended.
        let gap: Milliseconds
        /// Time of the newest sample sent; `Int64.min` before the first.
        var last: Milliseconds = .min
        var isAlive = false
        /// Times of the samples sent that an answer may still repeat, ascending.
        var recent: [Milliseconds] = []
    }

    /// Samples to send of one series: `range` of the columns.
    struct Run {
        var series: Int32
        var range: Range<Int>
    }

    private(set) var series: [Series] = []
    private var table = RawSeriesTable()
    private var byFingerprint: [Fingerprint: Int32] = [:]
    private(set) var runs: [Run] = []
    private(set) var times: [Milliseconds] = []
    private(set) var values: [Double] = []

    var count: Int { series.count }

    func key(_ number: Int32) -> ArraySlice<UInt8> { table.bytes(series[Int(number)].key) }

    /// Forgets the samples of the piece before.
    mutating func beginPiece() {
        runs.removeAll(keepingCapacity: true)
        times.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
    }

    /// The series that raw bytes name: nil for bytes that are new, -1 for those that name none.
    func find(_ raw: [UInt8]) -> Int32? { raw.withUnsafeBytes { table.find($0) }.map { table.value($0) } }

    /// The series of bytes that `find` did not find. Without a fingerprint they name none.
    mutating func register(_ raw: [UInt8], _ fingerprint: Fingerprint?, gap: Milliseconds) -> Int32? {
        let number = fingerprint.map { byFingerprint[$0] ?? Int32(series.count) } ?? -1
        guard let key = raw.withUnsafeBytes({ table.insert($0, value: number) }) else { return nil }
        if let fingerprint, number == series.count {
            byFingerprint[fingerprint] = number
            series.append(Series(fingerprint: fingerprint, key: key, gap: gap))
        }
        return number
    }

    /// Takes those samples of an answer that are after `from` and have not been sent. They are in order of time.
    mutating func take(_ number: Int32, after from: Milliseconds, _ newTimes: ArraySlice<Milliseconds>, _ newValues: ArraySlice<Double>) {
        let start = times.count
        let i = Int(number)
        for (time, value) in zip(newTimes, newValues) where time > from {
            if time > series[i].last {
                endIfSilent(i, until: time - 1)
                series[i].recent.append(time)
                series[i].last = time
                series[i].isAlive = true
            } else if !insertLate(time, i) {
                continue
            }
            times.append(time)
            values.append(value)
        }
        if times.count > start { runs.append(Run(series: number, range: start..<times.count)) }
    }

    /// Appends a staleness marker if the series had ended by `time`.
    private mutating func endIfSilent(_ i: Int, until time: Milliseconds) {
        guard series[i].isAlive, time - series[i].last >= series[i].gap else { return }
        series[i].isAlive = false
        times.append(series[i].last + series[i].gap)
        values.append(StaleMarker.value)
    }

    /// Whether a sample that is not newer than the newest has not been sent yet.
    private mutating func insertLate(_ time: Milliseconds, _ i: Int) -> Bool {
        let recent = series[i].recent
        var low = 0
        var high = recent.count
        while low < high {
            let middle = (low + high) / 2
            if recent[middle] < time { low = middle + 1 } else { high = middle }
        }
        if low < recent.count, recent[low] == time { return false }
        series[i].recent.insert(time, at: low)
        return true
    }

    /// All answers up to `to` have been taken: ends the series that fell silent, and forgets times that no answer after `horizon` repeats.
    mutating func finishPiece(upTo to: Milliseconds, horizon: Milliseconds) {
        for i in series.indices {
            let start = times.count
            endIfSilent(i, until: to)
            if times.count > start { runs.append(Run(series: Int32(i), range: start..<times.count)) }
            if let first = series[i].recent.first, first <= horizon { series[i].recent.removeAll { $0 <= horizon } }
        }
    }

    /// Every series ends at `time`, or just after its last sample if that is later.
    mutating func endAll(at time: Milliseconds) {
        for i in series.indices where series[i].isAlive {
            series[i].isAlive = false
            times.append(max(time, series[i].last + 1))
            values.append(StaleMarker.value)
            runs.append(Run(series: Int32(i), range: (times.count - 1)..<times.count))
        }
    }

    /// The runs by shard, then series.
    func sortedRuns() -> [Run] {
        runs.sorted { a, b in
            let (x, y) = (series[Int(a.series)].fingerprint.shard, series[Int(b.series)].fingerprint.shard)
            return (x.index, a.series, a.range.lowerBound) < (y.index, b.series, b.range.lowerBound)
        }
    }

    /// Whether forgetting would free at least half. Numbers change then; nothing must be held over it.
    mutating func forgetEnded(before time: Milliseconds) -> Bool {
        let isKept = series.map { $0.isAlive || $0.last >= time }
        guard isKept.count(where: { !$0 }) > series.count / 2 + 512 else { return false }
        var newTable = RawSeriesTable()
        var newSeries: [Series] = []
        for (i, one) in series.enumerated() where isKept[i] {
            guard let key = table.bytes(one.key).withUnsafeBytes({ newTable.insert($0, value: Int32(newSeries.count)) }) else { continue }
            newSeries.append(one)
            newSeries[newSeries.count - 1].key = key
        }
        table = newTable
        series = newSeries
        byFingerprint = [:]
        for (i, one) in series.enumerated() { byFingerprint[one.fingerprint] = Int32(i) }
        beginPiece()
        return true
    }
}
