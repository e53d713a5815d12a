import Records
import TimeSeries

/// The values of one scrape, grouped by shard, with the encoded series of each shard. A shard's section is encoded again only when
/// its set of series has changed.
struct ScrapeColumns {
    struct Slot {
        let shard: Shard
        /// Numbers of the series, in the section's order.
        var members: [Int32] = []
        /// Where the shard's values begin.
        var start = 0
        /// nil until `buildSections`.
        var section: SeriesSection?
        /// Whether this scrape has something for the shard. A shard all of whose series have ended keeps its section for their return.
        var isEmitted = false
    }

    /// In order of shards.
    private(set) var slots: [Slot] = []
    private var values: [Double] = []
    /// How many values of this scrape went straight to their places.
    private var placed = 0
    /// Values of series that have no place yet.
    private var fresh: [(series: Int32, value: Double)] = []
    private var hasDormant = false
    private var invalid: Set<Shard> = []

    mutating func begin() {
        placed = 0
        fresh.removeAll(keepingCapacity: true)
    }

    @inline(__always)
    mutating func set(_ value: Double, position: Int32, series: Int32) {
        if position >= 0 {
            values[Int(position)] = value
            placed += 1
        } else {
            fresh.append((series, value))
        }
    }

    /// Series that this scrape brought and that have no place yet.
    var withoutPlace: [Int32] { fresh.map(\.series) }

    mutating func overwrite(_ value: Double, position: Int32) {
        if position >= 0 { values[Int(position)] = value }
    }

    /// A series of the shard has another type now.
    mutating func invalidate(shard: Shard) { invalid.insert(shard) }

    func values(of slot: Slot) -> [Double] { Array(values[slot.start..<(slot.start + slot.members.count)]) }

    /// Writes markers for what has ended since the scrape before, and gives new series a place. O(1) if each series is there again, else O(series).
    mutating func finish(scrape: UInt32, series: inout [ScrapeCache.Series]) {
        if placed == values.count && fresh.isEmpty && !hasDormant && invalid.isEmpty { return }
        var needsLayout = !fresh.isEmpty
        hasDormant = false
        let withFresh = Set(fresh.map { series[Int($0.series)].fingerprint.shard })
        for i in slots.indices {
            let dead = markEnded(slots[i], scrape: scrape, series: &series)
            slots[i].isEmitted = dead < slots[i].members.count
            if dead == 0 { continue }
            if slots[i].isEmitted || withFresh.contains(slots[i].shard) {
                removeDead(from: &slots[i], scrape: scrape, series: &series)
                needsLayout = true
            } else {
                hasDormant = true
            }
        }
        for i in slots.indices where invalid.contains(slots[i].shard) { slots[i].section = nil }
        invalid.removeAll()
        if needsLayout { layOut(&series) }
    }

    /// Gives the number of series that had ended before this scrape: they have no value in it.
    private mutating func markEnded(_ slot: Slot, scrape: UInt32, series: inout [ScrapeCache.Series]) -> Int {
        var dead = 0
        for number in slot.members where series[Int(number)].scrape != scrape {
            if series[Int(number)].isAlive {
                series[Int(number)].isAlive = false
                values[Int(series[Int(number)].position)] = StaleMarker.value
                // Counts as a value of this scrape.
                series[Int(number)].scrape = scrape
            } else {
                dead += 1
            }
        }
        return dead
    }

    private func removeDead(from slot: inout Slot, scrape: UInt32, series: inout [ScrapeCache.Series]) {
        var kept: [Int32] = []
        kept.reserveCapacity(slot.members.count)
        for number in slot.members {
            if series[Int(number)].scrape == scrape { kept.append(number) } else { series[Int(number)].position = -1 }
        }
        // Their values stay where they were until `layOut` moves them.
        slot.members = kept
        slot.section = nil
    }

    /// Adds the fresh series to their shards and gives every member a new place.
    private mutating func layOut(_ series: inout [ScrapeCache.Series]) {
        addFresh(series)
        var moved: [Double] = []
        moved.reserveCapacity(slots.reduce(0) { $0 + $1.members.count })
        var freshAt = 0
        for i in slots.indices {
            slots[i].start = moved.count
            for number in slots[i].members {
                let position = series[Int(number)].position
                if position >= 0 {
                    moved.append(values[Int(position)])
                } else {
                    moved.append(fresh[freshAt].value)
                    freshAt += 1
                }
                series[Int(number)].position = Int32(moved.count - 1)
            }
        }
        values = moved
        fresh.removeAll(keepingCapacity: true)
        slots.removeAll { $0.members.isEmpty }
    }

    /// Leaves `fresh` in the order in which the members without a place stand.
    private mutating func addFresh(_ series: [ScrapeCache.Series]) {
        fresh.sort { a, b in
            let (x, y) = (series[Int(a.series)].fingerprint.shard, series[Int(b.series)].fingerprint.shard)
            return (x.index, a.series) < (y.index, b.series)
        }
        var slotOf: [Shard: Int] = [:]
        for (i, slot) in slots.enumerated() { slotOf[slot.shard] = i }
        for (number, _) in fresh {
            let shard = series[Int(number)].fingerprint.shard
            let i = slotOf[shard] ?? slots.count
            if i == slots.count {
                slotOf[shard] = i
                slots.append(Slot(shard: shard))
            }
            slots[i].members.append(number)
            slots[i].section = nil
            slots[i].isEmitted = true
        }
        slots.sort { $0.shard < $1.shard }
    }

    /// The slots whose section must be encoded before they are sent.
    var slotsToEncode: [Int] { slots.indices.filter { slots[$0].section == nil && slots[$0].isEmitted } }

    mutating func setSection(_ section: SeriesSection, ofSlot i: Int) { slots[i].section = section }

    /// Series have new numbers. All members are among those that stay.
    mutating func renumber(_ numbers: [Int32]) {
        for i in slots.indices { slots[i].members = slots[i].members.map { numbers[Int($0)] } }
    }
}
