import Records
import TimeSeries

extension TrafficMerge {
    /// Lets time go on. With `force` nothing is waited for.
    package mutating func advance(now: Milliseconds, force: Bool = false) -> MergeOutput {
        let start = began ?? now
        began = start
        for s in sources.indices where sources[s].isNews {
            sources[s].isNews = false
            sources[s].heard = now
        }
        var output = MergeOutput()
        if let complete = complete(now: now, start: start, force: force) {
            for k in kinds.indices { giveWindows(k, through: complete, &output) }
        }
        trim(now: now, start: start)
        giveTotals(&output)
        return output
    }

    /// The time that all sources have passed, but for those that are idle or silent.
    private func complete(now: Milliseconds, start: Milliseconds, force: Bool) -> Milliseconds? {
        var lowest: Milliseconds?
        var highest: Milliseconds?
        for source in sources {
            if let through = source.through { highest = max(highest ?? through, through) }
            let isSilent = now - (source.heard ?? start) >= options.idleTimeout
            if force || isSilent || (source.isIdle && source.heard != nil) { continue }
            guard let through = source.through else { return nil }
            lowest = min(lowest ?? through, through)
        }
        return lowest ?? highest
    }

    // MARK: Windows

    private mutating func giveWindows(_ k: Int, through: Milliseconds, _ output: inout MergeOutput) {
        let last = floorDivided(through, kinds[k].window.slide)
        let dirty = kinds[k].dirty
        kinds[k].dirty = [:]
        for (end, routes) in dirty.sorted(by: { $0.key < $1.key }) { give(k, end, routes: routes, &output) }
        guard last > kinds[k].given else { return }
        let given = kinds[k].given
        kinds[k].given = last
        for end in kinds[k].ends.keys.filter({ $0 > given && $0 <= last }).sorted() { give(k, end, routes: nil, &output) }
        if k == 0 { seriesThrough = max(seriesThrough, last * kinds[0].window.slide) }
    }

    /// The rows of a window: of some routes, or, the first time, of all.
    private func give(_ k: Int, _ end: Int64, routes: Set<String>?, _ output: inout MergeOutput) {
        guard let cells = kinds[k].ends[end] else { return }
        let window = kinds[k].window
        let time = end * window.slide
        let isSeries = k == 0 && routes == nil && time > seriesThrough
        let keys = cells.keys.filter { routes?.contains($0.route) ?? true }.sorted()
        var i = 0
        while i < keys.count {
            let route = keys[i].route
            var all = PaneCell(key: 0)
            var vehicles = 0
            while i < keys.count, keys[i].route == route {
                let sum = sum(keys[i], through: time, length: window.length)
                let distinct = Int(cells[keys[i]]?.parts.reduce(0) { $0 + $1.value } ?? 0)
                if distinct > 0 {
                    let row = row(keys[i], time, window, distinct, sum)
                    output.windows.append(row)
                    if isSeries {
                        for (name, value) in [("traffic_vehicles", row.vehicles), ("traffic_events", row.events)] {
                            output.series.append(
                                TrafficSeriesPoint(name: name, route: route, vehicleType: row.vehicleType, time: time, value: Double(value))
                            )
                        }
                    }
                }
                vehicles += distinct
                all.add(sum)
                i += 1
            }
            guard vehicles > 0 else { continue }
            let row = row(MergeKey(route: route, type: ""), time, window, vehicles, all)
            output.windows.append(row)
            guard isSeries else { continue }
            for (name, value) in [("traffic_speed_avg", row.speedAvg), ("traffic_speed_p10", row.speedP10)] {
                guard let value else { continue }
                output.series.append(TrafficSeriesPoint(name: name, route: route, vehicleType: nil, time: time, value: value))
            }
        }
    }

    private func sum(_ key: MergeKey, through time: Milliseconds, length: Milliseconds) -> PaneCell {
        var sum = PaneCell(key: 0)
        let last = floorDivided(time, options.pane)
        for index in (last - length / options.pane + 1)...last {
            for part in panes[index]?[key]?.parts ?? [] { sum.add(part.value) }
        }
        return sum
    }

    private func row(
        _ key: MergeKey, _ time: Milliseconds, _ window: TrafficOptions.Window, _ vehicles: Int, _ sum: PaneCell
    ) -> TrafficWindow {
        TrafficWindow(
            time: time, window: window.length, revision: revision, route: key.route, vehicleType: key.type, vehicles: vehicles,
            events: Int(sum.events), speedAvg: sum.told > 0 ? Double(sum.speed) / Double(sum.told) / 1000 : nil,
            speedP10: sum.speeds.p10(of: Int(sum.told)), lowFuel: Int(sum.low))
    }

    // MARK: Totals

    private mutating func giveTotals(_ output: inout MergeOutput) {
        guard !dirtyTotals.isEmpty else { return }
        let time = sources.compactMap(\.newest).max() ?? 0
        for key in dirtyTotals.sorted(by: { ($0.key, $0.day ?? .min) < ($1.key, $1.day ?? .min) }) {
            guard let parts = totals[key]?.parts else { continue }
            var sum = KeyCounts()
            for part in parts {
                sum.vehicles += part.value.vehicles
                sum.events += part.value.events
                sum.arrivals += part.value.arrivals
            }
            output.totals.append(
                TrafficTotal(
                    time: time, revision: revision, route: key.key.route, vehicleType: key.key.type,
                    day: key.day.map { CivilTime.text(days: Int64($0)) }, vehicles: Int(sum.vehicles), events: Int(sum.events),
                    arrivals: Int(sum.arrivals)))
        }
        dirtyTotals = []
    }

    // MARK: Memory

    /// More than the allowed lateness, for records on their way.
    private static let margin: Milliseconds = 60_000
    /// How long, wall time, a source that has told nothing yet may still begin with what is old.
    private static let patience: Milliseconds = 300_000
    /// Counts held for sources that are behind; beyond it what the newest has left behind by the allowed lateness goes.
    private static let maximumCells = 300_000

    /// Forgets windows and days that can change no more. What a source takes depends on its own newest event alone, and one that is silent may only have
    /// an owner that is being replaced while the others read hours of a replay: what it will still tell must find its place.
    private mutating func trim(now: Milliseconds, start: Milliseconds) {
        guard let newest = sources.compactMap(\.newest).max() else { return }
        var cutoff = newest - options.allowedLateness - TrafficMerge.margin
        let isYoung = now - start < TrafficMerge.patience
        for source in sources where source.newest != nil || isYoung {
            cutoff = min(cutoff, (source.newest ?? .min / 2) - options.allowedLateness - TrafficMerge.margin)
        }
        if cutoff < lastTrim || lastTrim == .min {
            let cells = panes.values.reduce(0) { $0 + $1.count }
            if cells > TrafficMerge.maximumCells { cutoff = newest - options.allowedLateness - TrafficMerge.margin }
        }
        // While a source may still begin anywhere there is nothing to forget.
        guard cutoff > -(1 << 53), cutoff >= lastTrim &+ options.smallestSlide || lastTrim == .min else { return }
        lastTrim = cutoff
        for k in kinds.indices {
            let slide = kinds[k].window.slide
            kinds[k].ends = kinds[k].ends.filter { $0.key * slide >= cutoff }
        }
        panes = panes.filter { $0.key * options.pane >= oldestPane }
        totals = totals.filter { ($0.key.day.map(Int64.init) ?? .max) >= oldestDay }
    }
}
