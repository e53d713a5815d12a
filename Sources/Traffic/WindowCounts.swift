import Records
import TimeSeries

/// Events and speeds by pane, distinct vehicles by end of window. A pane is (end - length, end].
struct WindowCounts: Sendable {
    /// Ends of the windows of one kind.
    struct Kind: Sendable {
        let window: TrafficOptions.Window
        /// Windows that begin before this are not whole and never given.
        var from: Milliseconds
        var ends: CellRing<EndCell>
    }

    let pane: Milliseconds
    let lateness: Milliseconds
    var panes: CellRing<PaneCell>
    var kinds: [Kind]
    /// The pane used last: most events are of it.
    private var lastEnd: Milliseconds = .min
    private var lastRow = 0

    init(options: TrafficOptions, from: Milliseconds = .min) {
        pane = options.pane
        lateness = max(options.allowedLateness, options.disorder)
        panes = CellRing(span: lateness / pane + 3)
        let lateness = lateness
        kinds = options.windows.map { WindowCounts.kind($0, lateness: lateness, from: from) }
    }

    static func kind(_ window: TrafficOptions.Window, lateness: Milliseconds, from: Milliseconds) -> Kind {
        Kind(window: window, from: from, ends: CellRing(span: (lateness + window.length) / window.slide + 3))
    }

    @inline(__always)
    mutating func add(_ key: Int32, time: Milliseconds, speed: Double, isLow: Bool) {
        if time > lastEnd || time <= lastEnd &- pane {
            let index = ceilDivided(time, pane)
            lastRow = panes.row(index)
            lastEnd = index * pane
        }
        panes.rows[lastRow].isDirty = true
        let place = panes.rows[lastRow].place(key) { PaneCell(key: $0) }
        panes.rows[lastRow].cells[place].add(speed: speed, isLow: isLow)
    }

    /// Counts a vehicle with an event of `key` at `time`, its nearest others of the key at `before` and `after`, in all windows that hold
    /// this event and none of the others.
    @inline(__always)
    mutating func count(_ key: Int32, time: Milliseconds, before: Milliseconds, after: Milliseconds) {
        for k in kinds.indices {
            let window = kinds[k].window
            let start = before > time - window.length ? before + window.length : time
            let stop = min(after, time + window.length) - 1
            if start > stop { continue }
            var index = ceilDivided(start, window.slide)
            let last = floorDivided(stop, window.slide)
            while index <= last {
                let row = kinds[k].ends.row(index)
                kinds[k].ends.rows[row].isDirty = true
                let place = kinds[k].ends.rows[row].place(key) { EndCell(key: $0) }
                kinds[k].ends.rows[row].cells[place].vehicles += 1
                kinds[k].ends.rows[row].cells[place].isDirty = true
                index += 1
            }
        }
    }

    /// Everything is to be given again.
    mutating func markAll() {
        for r in panes.rows.indices where !panes.rows[r].cells.isEmpty {
            panes.rows[r].isDirty = true
            for c in panes.rows[r].cells.indices { panes.rows[r].cells[c].isDirty = true }
        }
        for k in kinds.indices {
            for r in kinds[k].ends.rows.indices where !kinds[k].ends.rows[r].cells.isEmpty {
                kinds[k].ends.rows[r].isDirty = true
                for c in kinds[k].ends.rows[r].cells.indices { kinds[k].ends.rows[r].cells[c].isDirty = true }
            }
        }
    }

    /// What changed in panes and windows that end at or before `through`.
    mutating func give(through: Milliseconds, pane givePane: (Int64, PaneCell) -> Void, end giveEnd: (Kind, Int64, EndCell) -> Void) {
        for r in panes.rows.indices where panes.rows[r].isDirty && panes.rows[r].index <= floorDivided(through, pane) {
            panes.rows[r].isDirty = false
            for c in panes.rows[r].cells.indices where panes.rows[r].cells[c].isDirty {
                panes.rows[r].cells[c].isDirty = false
                givePane(panes.rows[r].index, panes.rows[r].cells[c])
            }
        }
        for k in kinds.indices {
            let window = kinds[k].window
            let last = floorDivided(through, window.slide)
            for r in kinds[k].ends.rows.indices where kinds[k].ends.rows[r].isDirty && kinds[k].ends.rows[r].index <= last {
                kinds[k].ends.rows[r].isDirty = false
                let index = kinds[k].ends.rows[r].index
                let isWhole = kinds[k].from == .min || index * window.slide - window.length >= kinds[k].from
                for c in kinds[k].ends.rows[r].cells.indices where kinds[k].ends.rows[r].cells[c].isDirty {
                    kinds[k].ends.rows[r].cells[c].isDirty = false
                    if isWhole { giveEnd(kinds[k], index, kinds[k].ends.rows[r].cells[c]) }
                }
            }
        }
    }
}

/// Windows without vehicles: events and speeds by route and type, from the bytes of events.
package struct WindowCounter: Sendable {
    private var windows: WindowCounts
    private var keys = KeyTable()
    private var zones = ZoneTable()
    private let zone: Int
    private let options: TrafficOptions

    package init(options: TrafficOptions) {
        self.options = options
        windows = WindowCounts(options: options)
        zone = zones.index(of: options.zone)
    }

    package mutating func ingest(_ bytes: UnsafeRawBufferPointer) throws(MalformedEvent) {
        var reader = EventReader(bytes)
        let event = try reader.event(&zones, zone: zone)
        let limit = options.maxKeys
        guard let key = reader.key(event, &keys, limit: limit) else { return }
        windows.add(key, time: event.time, speed: event.speed, isLow: event.fuel < options.lowFuel)
    }

    /// Rows of the first window that ends at `end`: events, and the sum of speeds in thousandths.
    package func rows(end: Milliseconds) -> [(events: Int, speed: Int)] {
        guard let window = options.windows.first else { return [] }
        var sums = [(events: Int, speed: Int)](repeating: (0, 0), count: keys.count)
        for row in windows.panes.rows where row.index > floorDivided(end - window.length, windows.pane) && row.index * windows.pane <= end {
            for cell in row.cells {
                sums[Int(cell.key)].events += Int(cell.events)
                sums[Int(cell.key)].speed += Int(cell.speed)
            }
        }
        return sums
    }
}

extension EventReader {
    @inline(__always)
    func key(_ event: RawEvent, _ keys: inout KeyTable, limit: Int) -> Int32? {
        if event.route.isUnescaped || event.type.isUnescaped {
            guard limit > keys.count else { return nil }
            return keys.index(route: text(event.route), type: text(event.type))
        }
        return keys.index(
            route: UnsafeRawBufferPointer(rebasing: bytes[event.route.start..<(event.route.start + event.route.count)]),
            type: UnsafeRawBufferPointer(rebasing: bytes[event.type.start..<(event.type.start + event.type.count)]), limit: limit)
    }
}
