import TimeSeries

/// Time zones by a dense index: offsets, local days, and local times turned into UTC. What was asked last is kept, so that the next
/// question costs two comparisons.
///
/// A local time that occurs twice is the first one; one that never occurs, because clocks were put forward, is read with the offset
/// before, and so comes out as much later on the new clock.
package struct ZoneTable: Sendable {
    private struct Zone: Sendable {
        var name: String
        var table: ZoneOffsets
        /// The span of `table` used last.
        var span = 0
        /// The local day told last: in [from, to) the offset and the day are the same.
        var day: Int64 = 0
        var from: Milliseconds = .max
        var to: Milliseconds = .min
    }

    private var zones: [Zone] = []

    package init() {}

    /// Whether the system knows a zone of this name.
    package static func isKnown(_ name: String) -> Bool { ZoneOffsets.isKnown(name) }

    /// A name that is not known is UTC.
    package mutating func index(of name: String) -> Int {
        if let known = zones.firstIndex(where: { $0.name == name }) { return known }
        zones.append(Zone(name: name, table: ZoneOffsets(named: name) ?? ZoneOffsets()))
        return zones.count - 1
    }

    package mutating func offset(zone: Int, at time: Milliseconds) -> Milliseconds {
        let span = self.span(zone, time)
        return zones[zone].table.offsets[span]
    }

    private mutating func span(_ zone: Int, _ time: Milliseconds) -> Int {
        let starts = zones[zone].table.starts
        let kept = zones[zone].span
        if time >= starts[kept], kept + 1 == starts.count || time < starts[kept + 1] { return kept }
        var low = 0
        var high = starts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= time { low = middle } else { high = middle }
        }
        zones[zone].span = low
        return low
    }

    /// The local day, as days since the epoch, and an interval around `time` in which it is the same.
    @inline(__always)
    mutating func day(zone: Int, at time: Milliseconds) -> (day: Int64, from: Milliseconds, to: Milliseconds) {
        if time < zones[zone].from || time >= zones[zone].to { findDay(zone, time) }
        return (zones[zone].day, zones[zone].from, zones[zone].to)
    }

    private mutating func findDay(_ zone: Int, _ time: Milliseconds) {
        let span = self.span(zone, time)
        let table = zones[zone].table
        let day = floorDivided(time + table.offsets[span], CivilTime.day)
        zones[zone].day = day
        zones[zone].from = max(table.starts[span], day * CivilTime.day - table.offsets[span])
        zones[zone].to = (day + 1) * CivilTime.day - table.offsets[span]
        if span + 1 < table.starts.count { zones[zone].to = min(zones[zone].to, table.starts[span + 1]) }
    }

    package mutating func utc(zone: Int, local: Milliseconds) -> Milliseconds {
        let starts = zones[zone].table.starts
        let offsets = zones[zone].table.offsets
        let kept = zones[zone].span
        let isAfter = kept == 0 || local >= starts[kept] + max(offsets[kept - 1], offsets[kept])
        if isAfter, kept + 1 == starts.count || local < starts[kept + 1] + offsets[kept] { return local - offsets[kept] }
        // Offsets are below a day: a span that begins two days earlier surely has begun.
        var i = max(0, span(zone, local - 2 * CivilTime.day) - 1)
        while i + 1 < starts.count {
            // Before the next change, or in the gap that it leaves.
            if local < starts[i + 1] + max(offsets[i], offsets[i + 1]) { break }
            i += 1
        }
        zones[zone].span = i
        return local - offsets[i]
    }
}
