import TimeSeries

/// The long memory of one series: its means over slots of time, four weeks of them, from which daily and weekly cycles are read.
///
/// A slot without a sample is a hole. A mean is kept as a `Float` of its distance from the first one, so that 1e9 with noise of 1e-3 keeps its cycle;
/// what lies further away than a `Float` reaches (3.4e38) is a hole too. Memory grows with the history: 4 bytes a slot, at most
/// `maximumCount` of them (5.4 KB).
package struct Rollup: Sendable {
    /// Four weeks of half hours: a weekly cycle must be seen four times.
    package static let maximumCount = 1_344
    /// Holes of up to a day (of half hours) are bridged; a longer one ends the usable past.
    static let longestGap = 48
    private static let growth = 48

    private var first: Int64 = 0
    private var reference = 0.0
    private var means: [Float] = []
    /// The newest part that was added, and the weight of all parts in its slot.
    private var newestPart: Milliseconds = .min
    private var newestWeight = 0

    package init() {}

    package var count: Int { means.count }
    package var isEmpty: Bool { means.isEmpty }
    /// Bytes that the rollup holds beside the series' own record.
    package var memoryBytes: Int { means.capacity > 0 ? means.capacity * MemoryLayout<Float>.stride + 32 : 0 }

    /// The time of the first slot's start, for slots of `slot` milliseconds.
    package func start(slot: Milliseconds) -> Milliseconds { first * slot }

    /// Adds the mean of `count` values in the part of time that begins at `start`. Parts of one slot are weighted by their counts as they come; a part of
    /// another slot than the newest replaces what is there. One that is not finite, or of no value, changes nothing. O(1), O(slots) where a part is
    /// older than all others.
    package mutating func add(start: Milliseconds, count: Int, mean: Double, slot length: Milliseconds) {
        guard count > 0, mean.isFinite, length > 0 else { return }
        let slot = start / length - (start % length < 0 ? 1 : 0)
        if let last, slot == last, start > newestPart {
            let (own, weight) = (self[slot] ?? mean, Double(count) / Double(count + newestWeight))
            newestWeight += count
            self[slot] = own + (mean - own) * weight
        } else {
            if slot >= last ?? .min { newestWeight = count }
            self[slot] = mean
        }
        if slot == last { newestPart = start }
    }

    private var last: Int64? { means.isEmpty ? nil : first + Int64(means.count) - 1 }

    private subscript(slot: Int64) -> Double? {
        get {
            guard slot >= first, slot - first < means.count else { return nil }
            let mean = means[Int(slot - first)]
            return mean.isNaN ? nil : reference + Double(mean)
        }
        set {
            guard let value = newValue, makeRoom(for: slot, value) else { return }
            let mean = Float(value - reference)
            means[Int(slot - first)] = mean.isFinite ? mean : .nan
        }
    }

    /// False for a slot that is too old.
    private mutating func makeRoom(for slot: Int64, _ value: Double) -> Bool {
        if let last, slot > last, slot - last < Rollup.maximumCount {
            let more = Int(slot - last)
            let surplus = means.count + more - Rollup.maximumCount
            if surplus > 0 {
                means.removeFirst(surplus)
                first += Int64(surplus)
            }
            if means.count + more > means.capacity {
                means.reserveCapacity(min(max(means.count + more, means.capacity + Rollup.growth), Rollup.maximumCount))
            }
            for _ in 0..<more { means.append(.nan) }
        } else if let last, slot <= last {
            guard last - slot < Rollup.maximumCount else { return false }
            if slot < first {
                means.reserveCapacity(Int(last - slot) + 1)
                means.insert(contentsOf: repeatElement(.nan, count: Int(first - slot)), at: 0)
                first = slot
            }
        } else {
            first = slot
            reference = value
            means = [0]
        }
        return true
    }

    /// Forgets the slots that begin after `time`: the clock was ahead.
    package mutating func forget(after time: Milliseconds, slot length: Milliseconds) {
        let kept = means.indices.prefix { (first + Int64($0)) * length <= time }.count
        if kept < means.count {
            means.removeSubrange(kept...)
            newestPart = .min
            newestWeight = 0
        }
    }

    /// The same with the slots of `newer` in place of its own.
    package func merged(with newer: Rollup) -> Rollup {
        var result = self
        for (i, mean) in newer.means.enumerated() where !mean.isNaN {
            result[newer.first + Int64(i)] = newer.reference + Double(mean)
        }
        (result.newestPart, result.newestWeight) = (newer.newestPart, newer.newestWeight)
        return result
    }

    /// The usable past, holes bridged by straight lines, and the slot of its first value; nil where half of it or more are holes. O(slots).
    func evenMeans() -> (values: [Double], start: Int64)? {
        guard var from = means.lastIndex(where: { !$0.isNaN }) else { return nil }
        let end = from
        var (gap, known) = (0, 0)
        for i in stride(from: end, through: 0, by: -1) {
            if means[i].isNaN {
                gap += 1
                if gap > Rollup.longestGap { break }
            } else {
                (gap, from) = (0, i)
                known += 1
            }
        }
        guard known * 2 > end - from + 1 else { return nil }
        var values = means[from...end].map { reference + Double($0) }
        var before = 0
        for i in 1..<max(values.count, 1) where !values[i].isNaN {
            for k in (before + 1)..<max(i, before + 1) {
                values[k] = values[before] + (values[i] - values[before]) * (Double(k - before) / Double(i - before))
            }
            before = i
        }
        return (values, first + Int64(from))
    }
}
