import Records
import Storage
import Synchronization
import TimeSeries

/// The raw samples of the last minutes of every series, from the topic `samples`: what no sealed chunk holds yet, and the
/// sparklines. Bounded in bytes: over the bound the oldest samples of all series go, then whole series.
final class RecentSamples: Sendable {
    private let state: Mutex<RecentState>

    init(span: Milliseconds, maxBytes: Int) {
        state = Mutex(RecentState(span: span, maxSamples: max(1, maxBytes / RecentState.bytesPerSample)))
    }

    /// Takes one record's value. `now` bounds how old, and how far ahead, a sample may be. Throws `DecodingFailure`.
    func apply(_ bytes: [UInt8], now: Milliseconds) throws {
        try bytes.withUnsafeBytes { raw in
            let record = try SamplesRecord(decoding: raw)
            if state.withLock({ $0.add(record, keys: nil, now: now) }) { return }
            let keys = try SeriesSection.decode(UnsafeRawBufferPointer(rebasing: raw[record.sectionRange]))
            _ = state.withLock { $0.add(record, keys: keys, now: now) }
        }
    }

    /// The samples of a series in from < time <= to, in order of time. Staleness markers are not among them.
    func samples(of id: Fingerprint, from: Milliseconds, to: Milliseconds) -> (times: [Milliseconds], values: [Double]) {
        guard let series = state.withLock({ $0.series(id) }) else { return ([], []) }
        let lower = series.times[series.head...].partitioningIndex { $0 > from }
        let upper = series.times[series.head...].partitioningIndex { $0 > to }
        return lower < upper ? (Array(series.times[lower..<upper]), Array(series.values[lower..<upper])) : ([], [])
    }

    /// All series with samples here. O(series).
    func series() -> [StoredSeries] {
        state.withLock { state in state.slots.compactMap(\.stored) }
    }

    func key(of id: Fingerprint) -> StoredSeries? { state.withLock { $0.series(id)?.stored } }

    /// Drops what is older than the span, and series that have nothing left. Call now and then.
    func prune(now: Milliseconds) { state.withLock { $0.prune(now: now) } }

    var size: (series: Int, samples: Int, evicted: Int) { state.withLock { ($0.slots.count, $0.count, $0.evicted) } }
}

/// One series' ring: columns whose live part begins at `head`.
struct RecentSeries: Sendable {
    let key: SeriesKey
    var times: [Milliseconds] = []
    var values: [Double] = []
    var head = 0

    var count: Int { times.count - head }

    var stored: StoredSeries? {
        guard count > 0, let last = times.last else { return nil }
        return StoredSeries(key: key, firstSeen: times[head], lastSeen: last)
    }

    /// Returns how many samples were added: 1 or 0 for a second one with the same time. O(1) in order, O(late) otherwise.
    mutating func add(_ time: Milliseconds, _ value: Double) -> Int {
        if let last = times.last, count > 0, time <= last {
            let at = times[head...].partitioningIndex { $0 >= time }
            if times[at] == time { return 0 }
            times.insert(time, at: at)
            values.insert(value, at: at)
            return 1
        }
        times.append(time)
        values.append(value)
        return 1
    }

    /// Drops samples at or before `cutoff`; returns how many. Moves memory only when half of it is dead.
    mutating func drop(through cutoff: Milliseconds) -> Int {
        var dropped = 0
        while head < times.count, times[head] <= cutoff {
            head += 1
            dropped += 1
        }
        if head > 32, head * 2 > times.count {
            times.removeFirst(head)
            values.removeFirst(head)
            head = 0
        }
        return dropped
    }
}

/// The pure state: no clock, no lock.
struct RecentState: Sendable {
    /// Two columns of eight bytes; half as much again for the slack of arrays.
    static let bytesPerSample = 24
    /// A series' slot, labels and place in the dictionary, roughly.
    static let bytesPerSeries = 500
    /// Stands for a series that is not kept because there are too many.
    private static let refused: Int32 = -1
    /// Decoded sections kept; each is four bytes a series.
    static let maxSectionSeries = 1 << 20

    let fullSpan: Milliseconds
    let maxSamples: Int
    /// How far back samples are kept now: less than the full span while memory is short.
    private(set) var span: Milliseconds
    private(set) var slots: [RecentSeries] = []
    private(set) var count = 0
    private(set) var evicted = 0
    private var byID: [Fingerprint: Int32] = [:]
    /// Section hash to the slots of its series.
    private var sections: [UInt64: [Int32]] = [:]
    private var sectionSeries = 0

    init(span: Milliseconds, maxSamples: Int) {
        fullSpan = span
        self.span = span
        self.maxSamples = maxSamples
    }

    func series(_ id: Fingerprint) -> RecentSeries? { byID[id].map { slots[Int($0)] } }

    /// false if the record's section is not known and no keys are given. O(samples).
    mutating func add(_ record: SamplesRecord, keys: [SeriesKey]?, now: Milliseconds) -> Bool {
        guard let section = sections[record.sectionHash] ?? keys.map({ learn(record.sectionHash, $0) }) else { return false }
        let oldest = now - span
        // A clock ahead of ours by more than this would keep its samples for ever.
        let newest = now + 600_000
        var at = 0
        for (i, slot) in section.enumerated() {
            let samples = record.counts.map { i < $0.count ? $0[i] : 0 } ?? 1
            if slot == RecentState.refused {
                at += samples
                evicted += samples
                continue
            }
            for _ in 0..<samples {
                guard at < record.values.count else { return true }
                let time = record.counts == nil ? record.times[0] : record.times[at]
                let value = record.values[at]
                at += 1
                if time > oldest, time <= newest, !StaleMarker.isStale(value) { count += slots[Int(slot)].add(time, value) }
            }
        }
        if count > maxSamples { shrink(now: now) }
        return true
    }

    private mutating func learn(_ hash: UInt64, _ keys: [SeriesKey]) -> [Int32] {
        if sectionSeries + keys.count > RecentState.maxSectionSeries {
            sections.removeAll()
            sectionSeries = 0
        }
        let slots = keys.map { slot(of: $0) }
        sections[hash] = slots
        sectionSeries += slots.count
        return slots
    }

    private mutating func slot(of key: SeriesKey) -> Int32 {
        if let known = byID[key.id] { return known }
        // Half of the memory for the series, half for their samples.
        if slots.count * RecentState.bytesPerSeries > maxSamples * RecentState.bytesPerSample / 2 { return RecentState.refused }
        let slot = Int32(slots.count)
        slots.append(RecentSeries(key: key))
        byID[key.id] = slot
        return slot
    }

    /// Shortens the span until a tenth is free again.
    private mutating func shrink(now: Milliseconds) {
        let before = count
        while count > maxSamples / 10 * 9, span > 1000 {
            span = span / 10 * 9
            for i in slots.indices { count -= slots[i].drop(through: now - span) }
        }
        // Samples of the future are younger than any span.
        if count > maxSamples {
            count = 0
            for i in slots.indices { slots[i] = RecentSeries(key: slots[i].key) }
        }
        evicted += before - count
    }

    mutating func prune(now: Milliseconds) {
        if count < maxSamples / 2 { span = min(fullSpan, span / 9 * 10 + 1) }
        for i in slots.indices { count -= slots[i].drop(through: now - span) }
        guard slots.contains(where: { $0.count == 0 }) else { return }
        // Slots move, so sections have to be learned anew.
        slots.removeAll { $0.count == 0 }
        byID = Dictionary(slots.enumerated().map { ($1.key.id, Int32($0)) }, uniquingKeysWith: { a, _ in a })
        sections.removeAll()
        sectionSeries = 0
    }
}

extension RandomAccessCollection where Index == Int {
    /// The first index whose element meets a condition that no earlier one does and every later one does. O(log n).
    func partitioningIndex(_ isBeyond: (Element) -> Bool) -> Int {
        var low = startIndex
        var high = endIndex
        while low < high {
            let middle = low + (high - low) / 2
            if isBeyond(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
