import TimeSeries

/// A series on an even grid, as profile and forecast need it: value i stands for (start + (i - 1/2) step, start + (i + 1/2) step].
struct EvenSeries: Equatable {
    /// nil where the file has no times.
    var start: Milliseconds?
    var step: Milliseconds
    /// Missing steps are bridged by straight lines.
    var values: [Double]
    var bridged: Int
    /// What was done to get here, in words.
    var notes: [String]

    private static let maximumSteps = 20_000_000

    var end: Milliseconds? { start.map { $0 + Milliseconds(max(0, values.count - 1)) * step } }

    /// - Parameter step: nil takes the median distance of the times, or a minute without times.
    /// - Throws: `CSVError` if the times do not make a grid.
    static func make(_ series: CSVSeries, step wanted: Milliseconds?) throws -> EvenSeries {
        if series.times.isEmpty { return try withoutTimes(series, step: wanted) }
        var notes: [String] = []
        let order = sortedOrder(series.times, &notes)
        guard let first = order.first, let last = order.last else { throw CSVError(description: "there are no values") }
        let times = order.map { series.times[$0] }
        guard let step = wanted ?? medianStep(times) else {
            throw CSVError(description: "all values have the same time; a series needs at least two times")
        }
        let start = series.times[first]
        let steps = (series.times[last] - start) / step + 1
        if steps > maximumSteps || (steps > 1000 && steps / 200 > Int64(order.count)) {
            let range = DurationLabel.text(series.times[last] - start)
            throw CSVError(
                description:
                    "the times span \(range), \(steps) steps of \(DurationLabel.text(step)), \(order.count) values; give a larger --step"
            )
        }
        var grid = binned(series, order, start, step, Int(steps) + 1, &notes)
        while let value = grid.last, value.isNaN { grid.removeLast() }
        return bridge(grid, start: start, step: step, notes)
    }

    private static func withoutTimes(_ series: CSVSeries, step: Milliseconds?) throws -> EvenSeries {
        var values = series.values
        var notes: [String] = []
        if step == nil { notes.append("no column of times: the values count as one a minute (--step says otherwise)") }
        while let value = values.last, value.isNaN { values.removeLast() }
        return bridge(values, start: nil, step: step ?? 60_000, notes)
    }

    private static func sortedOrder(_ times: [Milliseconds], _ notes: inout [String]) -> [Int] {
        var order = Array(times.indices)
        let unordered = zip(times, times.dropFirst()).count { $1 < $0 }
        if unordered > 0 {
            notes.append("\(Count.text(unordered, "row is", "rows are")) out of order; sorted by time")
            order.sort { (times[$0], $0) < (times[$1], $1) }
        }
        var unique: [Int] = []
        unique.reserveCapacity(order.count)
        for i in order where unique.last.map({ times[$0] != times[i] }) ?? true { unique.append(i) }
        let repeats = order.count - unique.count
        if repeats > 0 { notes.append("\(Count.text(repeats, "row repeats", "rows repeat")) a time; the first of each counts") }
        return unique
    }

    private static func medianStep(_ times: [Milliseconds]) -> Milliseconds? {
        let distances = zip(times.dropFirst(), times).map { $0 - $1 }.sorted()
        return distances.isEmpty ? nil : distances[distances.count / 2]
    }

    /// The mean of the values of each step; NaN where there is none.
    private static func binned(
        _ series: CSVSeries, _ order: [Int], _ start: Milliseconds, _ step: Milliseconds, _ count: Int, _ notes: inout [String]
    ) -> [Double] {
        var means = [Double](repeating: .nan, count: count)
        var counts = [Int32](repeating: 0, count: count)
        var merged = 0
        for i in order where !series.values[i].isNaN {
            let bin = Int((series.times[i] - start + step / 2) / step)
            guard means.indices.contains(bin) else { continue }
            counts[bin] += 1
            if counts[bin] == 1 {
                means[bin] = series.values[i]
            } else {
                merged += 1
                means[bin] += (series.values[i] - means[bin]) / Double(counts[bin])
            }
        }
        if merged > 0 {
            notes.append("values that fall into one step of \(DurationLabel.text(step)) are averaged (\(Count.digits(merged)))")
        }
        return means
    }

    private static func bridge(_ grid: [Double], start: Milliseconds?, step: Milliseconds, _ notes: [String]) -> EvenSeries {
        guard let first = grid.firstIndex(where: { !$0.isNaN }) else {
            return EvenSeries(start: start, step: step, values: [], bridged: 0, notes: notes)
        }
        var values = Array(grid[first...])
        var notes = notes
        var bridged = 0
        var lastKnown = 0
        for i in values.indices where !values[i].isNaN {
            let gap = i - lastKnown
            if gap > 1 {
                bridged += gap - 1
                let slope = (values[i] - values[lastKnown]) / Double(gap)
                for k in 1..<gap { values[lastKnown + k] = values[lastKnown] + slope * Double(k) }
            }
            lastKnown = i
        }
        if bridged > 0 {
            let share = Double(bridged) / Double(values.count)
            let text =
                "\(Count.digits(bridged)) of \(Count.digits(values.count)) steps are missing "
                + "(\(NumberText.format(share * 100, digits: 2)) %)"
            notes.append(text + "; profile and forecast see straight lines there" + (share > 0.3 ? ", so trust them little" : ""))
        }
        return EvenSeries(start: start.map { $0 + Milliseconds(first) * step }, step: step, values: values, bridged: bridged, notes: notes)
    }
}
