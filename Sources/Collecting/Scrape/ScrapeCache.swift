import Exposition
import Messaging
import Records
import TimeSeries

/// What the cache made of one page.
struct PageCounts: Equatable {
    /// Rows of the page (`scrape_samples_scraped`).
    var scraped = 0
    /// Rows that were not dropped by name (`scrape_samples_post_metric_relabeling`).
    var kept = 0
    /// Series that the scrape before did not have (`scrape_series_added`).
    var added = 0
    /// Rows that name a series again that the page has already given at that time; the first counts.
    var duplicates = 0
    /// Rows whose own timestamp is too far in the future; refused.
    var future = 0
    /// The first duplicate of the page as it was written.
    var firstDuplicate: String?
}

/// A page that is well formed and still cannot be taken.
enum PageRefusal: Error, Equatable {
    case tooManySeries(limit: Int)
    /// A row's labels are not a series, for example two with one name.
    case badSeries(row: Int, message: String)
}

/// Turns a target's pages into columns for the topic `samples`. A page costs one comparison of bytes and one store a row as long as
/// it lists the series of the page before, in any order; labels are decoded only for series that are new.
///
/// Pure: the caller brings pages and times and sends what `records` gives. After each `apply` or `applyFailure` come
/// `setReport` and `records`, once each.
struct ScrapeCache {
    struct Limits {
        var maxSeries = 1_000_000
        /// How far ahead of the scrape a row's own timestamp may be.
        var future: Milliseconds = 600_000
        var honorTimestamps = true
    }

    struct Series {
        let fingerprint: Fingerprint
        /// The key in `table` whose bytes name it; -1 for series about the scrape itself.
        var key: Int32
        /// As the page says.
        var rowType: RowType
        /// As the configuration says.
        var configuredType: MetricType?
        /// Place in the columns; -1 where it has none.
        var position: Int32 = -1
        /// The last scrape that had it without a timestamp of its own.
        var scrape: UInt32 = 0
        /// Whether the last scrape that counted had it: it gets a staleness marker when the next has not.
        var isAlive = false
    }

    struct TimedSample {
        var series: Int32
        var time: Milliseconds
        var value: Double
    }

    /// Values of keys in `table` that lead to no series.
    private static let dropped: Int32 = -1
    private static let reserved: Int32 = -2

    private let labels: TargetLabels
    private var rules: MetricRules
    private let limits: Limits
    private var table = RawSeriesTable()
    private var order = PageOrder()
    private(set) var series: [Series] = []
    private var byFingerprint: [Fingerprint: Int32] = [:]
    private var columns = ScrapeColumns()
    private var timed: [TimedSample] = []
    /// Number of the current scrape.
    private var scrape: UInt32 = 0
    private let reportNames: [String]

    init(labels: TargetLabels, rules: MetricRules, limits: Limits = Limits(), reportNames: [String] = ScrapeReport.names) {
        self.labels = labels
        self.rules = rules
        self.limits = limits
        self.reportNames = reportNames
        for name in reportNames {
            let fingerprint = labels.report(name: name).fingerprint
            byFingerprint[fingerprint] = Int32(series.count)
            series.append(Series(fingerprint: fingerprint, key: -1, rowType: .gauge))
        }
    }

    /// Number of series names that are remembered.
    var keyCount: Int { table.count }

    // MARK: Pages

    /// Takes a page in. After a throw call `applyFailure`.
    mutating func apply(_ page: ParsedPage, bytes: UnsafeRawBufferPointer, at time: Milliseconds) throws(PageRefusal) -> PageCounts {
        begin()
        var counts = PageCounts()
        let expected = max(page.count, order.count)
        order.begin(capacity: page.count)
        for row in 0..<page.count {
            let raw = UnsafeRawBufferPointer(rebasing: bytes[page.seriesRange(row)])
            let key: Int32
            if let next = order.expected, table.matches(next, raw) {
                key = next
                order.accept()
            } else if let known = table.find(raw) {
                key = known
                order.resume(at: known)
            } else {
                key = try register(raw, row: row, type: page.types[row])
                order.insert(key)
            }
            let number = table.value(key)
            if number < 0 {
                if number == ScrapeCache.reserved { note(duplicate: raw, in: &counts) }
                continue
            }
            counts.kept += 1
            if counts.kept > limits.maxSeries { throw .tooManySeries(limit: limits.maxSeries) }
            if page.types[row] != series[Int(number)].rowType { retype(number, page.types[row]) }
            let ownTime = page.times[row]
            if ownTime == ParsedPage.noTime || !limits.honorTimestamps {
                take(number, page.values[row], raw, &counts)
            } else if ownTime > time + limits.future {
                counts.future += 1
            } else {
                timed.append(TimedSample(series: number, time: ownTime, value: page.values[row]))
            }
        }
        order.finish(keyCount: table.count)
        counts.scraped = page.count
        counts.duplicates += sortTimed()
        finishScrape()
        compact(expecting: expected)
        return counts
    }

    /// The scrape failed: every series that was there ends.
    mutating func applyFailure() {
        // Series of the refused page that never got a place were never sent: there is nothing to end.
        for number in columns.withoutPlace { series[Int(number)].isAlive = false }
        begin()
        finishScrape()
        compact(expecting: order.count)
    }

    private mutating func begin() {
        scrape &+= 1
        timed.removeAll(keepingCapacity: true)
        columns.begin()
    }

    @inline(__always)
    private mutating func take(_ number: Int32, _ value: Double, _ raw: UnsafeRawBufferPointer, _ counts: inout PageCounts) {
        let i = Int(number)
        if series[i].scrape == scrape {
            note(duplicate: raw, in: &counts)
            return
        }
        series[i].scrape = scrape
        if !series[i].isAlive {
            series[i].isAlive = true
            counts.added += 1
        }
        columns.set(value, position: series[i].position, series: number)
    }

    private func note(duplicate raw: UnsafeRawBufferPointer, in counts: inout PageCounts) {
        counts.duplicates += 1
        if counts.firstDuplicate == nil { counts.firstDuplicate = String(decoding: raw.prefix(200), as: UTF8.self) }
    }

    /// A name that was never seen: decodes it, attaches the target's labels, asks the rules.
    private mutating func register(_ raw: UnsafeRawBufferPointer, row: Int, type: RowType) throws(PageRefusal) -> Int32 {
        let name: String
        let exported: [Label]
        do {
            let parsed = try parseSeries(raw)
            name = parsed.name
            exported = parsed.labels.map { Label($0.name, $0.value) }
        } catch {
            throw .badSeries(row: row, message: error.message)
        }
        let verdict = rules.verdict(for: name)
        guard verdict.isKept else { return try insert(raw, value: ScrapeCache.dropped) }
        let fingerprint = labels.attached(name: name, exported: exported).fingerprint
        if let known = byFingerprint[fingerprint] {
            // Another way to write a known series, or the name of a series about the scrape itself.
            return try insert(raw, value: known < reportNames.count ? ScrapeCache.reserved : known)
        }
        let number = Int32(series.count)
        let key = try insert(raw, value: number)
        byFingerprint[fingerprint] = number
        series.append(Series(fingerprint: fingerprint, key: key, rowType: type, configuredType: verdict.type))
        return key
    }

    private mutating func insert(_ raw: UnsafeRawBufferPointer, value: Int32) throws(PageRefusal) -> Int32 {
        guard let key = table.insert(raw, value: value) else { throw .tooManySeries(limit: limits.maxSeries) }
        return key
    }

    private mutating func retype(_ number: Int32, _ type: RowType) {
        series[Int(number)].rowType = type
        columns.invalidate(shard: series[Int(number)].fingerprint.shard)
    }

    /// Orders the samples with times of their own by shard, series and time; gives the number of repeated ones, which are left out.
    private mutating func sortTimed() -> Int {
        if timed.isEmpty { return 0 }
        let before = timed.count
        // Sorting by (.., index) keeps the first of equals first.
        let sorted = timed.enumerated().sorted { a, b in
            let (x, y) = (series[Int(a.element.series)].fingerprint.shard, series[Int(b.element.series)].fingerprint.shard)
            return (x.index, a.element.series, a.element.time, a.offset) < (y.index, b.element.series, b.element.time, b.offset)
        }
        timed.removeAll(keepingCapacity: true)
        for (_, sample) in sorted {
            if let last = timed.last, last.series == sample.series, last.time == sample.time { continue }
            timed.append(sample)
        }
        return before - timed.count
    }

    private mutating func finishScrape() {
        for i in 0..<reportNames.count {
            series[i].scrape = scrape
            series[i].isAlive = true
            columns.set(0, position: series[i].position, series: Int32(i))
        }
        columns.finish(scrape: scrape, series: &series)
    }

    // MARK: Records

    /// Sets the values of the series about the scrape, in the order of `reportNames`.
    mutating func setReport(_ values: [Double]) {
        for (i, value) in values.enumerated() where i < reportNames.count {
            columns.overwrite(value, position: series[i].position)
        }
    }

    /// The target is taken away: every series ends, those about the scrape too.
    mutating func endAll() {
        begin()
        columns.finish(scrape: scrape, series: &series)
    }

    /// One record a shard with samples at `time`, before it one with the shard's samples that carry times of their own.
    mutating func records(topic: String, source: UInt64, time: Milliseconds) -> ScrapeRecords {
        for i in columns.slotsToEncode {
            columns.setSection(SeriesSection(columns.slots[i].members.map { key(of: $0) }), ofSlot: i)
        }
        var result = ScrapeRecords()
        var at = 0
        for slot in columns.slots {
            appendTimed(
                upTo: slot.shard, from: &at, watermark: time - 1, slotShard: slot.isEmitted ? slot.shard : nil, time, topic, source, &result
            )
            guard slot.isEmitted, let section = slot.section else { continue }
            let value = SamplesRecord.encode(
                source: source, watermark: time, section: section, time: time, values: columns.values(of: slot))
            result.append(ProducerRecord(topic: topic, key: .shard(slot.shard), value: value), samples: section.count)
        }
        appendTimed(upTo: nil, from: &at, watermark: time, slotShard: nil, time, topic, source, &result)
        return result
    }

    /// Appends the records of timed samples of all shards up to and with `last` (nil: all that are left).
    private func appendTimed(
        upTo last: Shard?, from at: inout Int, watermark: Milliseconds, slotShard: Shard?, _ time: Milliseconds,
        _ topic: String, _ source: UInt64, _ result: inout ScrapeRecords
    ) {
        while at < timed.count {
            let shard = series[Int(timed[at].series)].fingerprint.shard
            if let last, last < shard { return }
            var end = at
            var run = SampleRun()
            while end < timed.count, series[Int(timed[end].series)].fingerprint.shard == shard {
                run.append(timed[end])
                end += 1
            }
            let section = SeriesSection(run.series.map { key(of: $0) })
            // The shard's samples at `time` follow in a record of their own, so this one must not promise that there are none.
            let promise = shard == slotShard ? watermark : time
            let value = SamplesRecord.encode(
                source: source, watermark: promise, section: section, counts: run.counts, times: run.times, values: run.values)
            result.append(ProducerRecord(topic: topic, key: .shard(shard), value: value), samples: run.values.count)
            at = end
        }
    }

    /// Labels and type of a series, decoded anew from the bytes that name it: rarely needed, and large to keep.
    func key(of number: Int32) -> (labels: LabelSet, type: MetricType) {
        let known = series[Int(number)]
        if Int(number) < reportNames.count { return (labels.report(name: reportNames[Int(number)]), .gauge) }
        guard known.key >= 0, let parsed = try? parseSeries(table.bytes(known.key)) else { return (LabelSet([]), .unknown) }
        let type: MetricType =
            switch (known.configuredType, known.rowType) {
            case (.some(let configured), _): configured
            case (nil, .gauge): .gauge
            case (nil, .counter): .counter
            case (nil, .unknown): .guess(name: parsed.name)
            }
        return (labels.attached(name: parsed.name, exported: parsed.labels.map { Label($0.name, $0.value) }), type)
    }

    // MARK: Memory

    /// Forgets names that the last page did not have once they outnumber those that it had.
    private mutating func compact(expecting pageRows: Int) {
        guard table.count > 2 * max(pageRows, order.count) + 1_024 else { return }
        var keep = [Bool](repeating: false, count: table.count)
        for key in order.keys { keep[Int(key)] = true }
        for one in series where one.key >= 0 && (one.position >= 0 || one.isAlive) { keep[Int(one.key)] = true }
        for sample in timed { keep[Int(series[Int(sample.series)].key)] = true }
        rebuild(keeping: keep)
    }

    private mutating func rebuild(keeping keep: [Bool]) {
        // A series stays if any of the names that lead to it stays; its first such name becomes its key.
        var newNumber = [Int32](repeating: -1, count: series.count)
        var newSeries = Array(series.prefix(reportNames.count))
        for i in 0..<reportNames.count { newNumber[i] = Int32(i) }
        var newTable = RawSeriesTable()
        var newKey = [Int32](repeating: -1, count: table.count)
        for key in 0..<Int32(table.count) where keep[Int(key)] {
            var value = table.value(key)
            if value >= 0 {
                if newNumber[Int(value)] < 0 {
                    newNumber[Int(value)] = Int32(newSeries.count)
                    newSeries.append(series[Int(value)])
                    newSeries[newSeries.count - 1].key = -1
                }
                value = newNumber[Int(value)]
            }
            let made = table.bytes(key).withUnsafeBytes { newTable.insert($0, value: value) } ?? -1
            newKey[Int(key)] = made
            if value >= Int32(reportNames.count), newSeries[Int(value)].key < 0 { newSeries[Int(value)].key = made }
        }
        table = newTable
        series = newSeries
        byFingerprint = [:]
        for (i, one) in series.enumerated() { byFingerprint[one.fingerprint] = Int32(i) }
        order.renumber(newKey, keyCount: newTable.count)
        for i in timed.indices { timed[i].series = newNumber[Int(timed[i].series)] }
        columns.renumber(newNumber)
    }
}
