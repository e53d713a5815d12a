import Analytics
import Records
import TimeSeries

/// A sample that is older than the one before it in its series.
package struct HistoryOrderError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Place of the sample in the block it came in.
    package var index: Int
    package var time: Milliseconds
    package var before: Milliseconds

    package var description: String { "the time \(time) is before \(before), which stands before it in the same series" }
}

/// The analysis of one series' past: samples in order of time go in, in blocks of any size; rows come out as soon as their time is past.
///
/// What is analysed, and what a window is, is as the live analyzer has it (`SampleHistory`): the per-second rate of a counter, finite values only,
/// the first of several samples of one time, windows (t - w, t] at t = k x every. Rows in which every window is empty are left out.
///
/// Samples are summed up once for each slot of the grid, slots slide through the windows (`SlidingMoments`): amortised O(1) a sample and O(windows) a row.
/// Memory: the slots of the longest window; with quantiles, profiles or forecasts also its samples. The same samples give the same bits
/// however they are divided into blocks.
package struct HistoryAnalysis: Sendable {
    package let series: SeriesKey
    package let options: HistoryOptions
    private let isCounter: Bool
    /// Length of a slot: divides the interval and all windows.
    private let slotLength: Milliseconds
    /// Whether samples themselves are needed, beside their sums.
    private let keepsSamples: Bool

    /// Of the newest sample: time and raw value. `.min`: none yet.
    private var lastTime: Milliseconds = .min
    private var lastValue = Double.nan
    /// End of the slot that is being filled, and its sum so far but for `pending`.
    private var slotEnd: Milliseconds = .min
    private var slot = Moments()
    private var pending: [Double] = []

    private var slots = SlotColumn()
    private var sliding: [SlidingMoments]
    private var samples = SampleColumn()
    private var quantiles: SlidingQuantiles?
    private var models: HistoryModels
    /// Samples that wait for more: ranking is cheapest in long stretches.
    private var staged: (times: [Milliseconds], values: [Double]) = ([], [])

    private var nextRow: Milliseconds = .min
    private var nextProfile: Milliseconds = .max
    private var nextForecast: Milliseconds = .max
    private var scratch = Scratch()

    /// Samples taken, and those left out since one of their time had come before: with the same value, with another.
    package private(set) var count = 0
    package private(set) var duplicates = 0
    package private(set) var conflicts = 0

    private struct Scratch: Sendable {
        var times: [Milliseconds] = []
        var values: [Double] = []
        var rates: [Double] = []
        var quantiles: [(p50: Double, p95: Double, p99: Double)?] = []
    }

    /// Values summed up in one go: bounds what a slot holds back.
    private static let segment = 4_096

    /// - Parameter options: without a `problem`.
    package init(series: SeriesKey, options: HistoryOptions) {
        self.series = series
        self.options = options
        let type = series.type == .unknown ? MetricType.guess(name: series.labels.name) : series.type
        isCounter = type == .counter
        slotLength = options.windows.reduce(options.every) { greatestCommonDivisor($0, $1) }
        keepsSamples = options.quantiles || options.profiles != nil || options.forecasts != nil
        sliding = options.windows.map { SlidingMoments(window: $0) }
        quantiles = options.quantiles ? SlidingQuantiles(windows: options.windows) : nil
        models = HistoryModels(series: series, options: options)
    }

    // MARK: Samples

    /// Takes a block; appends the rows whose times have passed. Throws `HistoryOrderError` at a sample that goes back in time; then the analysis is of no use
    /// any more.
    package mutating func add(
        times: UnsafeBufferPointer<Milliseconds>, values: UnsafeBufferPointer<Double>, into rows: inout HistoryRows
    ) throws(HistoryOrderError) {
        var range = 0..<min(times.count, values.count)
        var newest = lastTime
        var isIncreasing = true
        for i in range {
            if times[i] <= newest {
                isIncreasing = false
                break
            }
            newest = times[i]
        }
        if !isIncreasing {
            try compact(times, values)
            // Moved out while its columns are read.
            var own = Scratch()
            swap(&own, &scratch)
            defer { swap(&own, &scratch) }
            own.times.withUnsafeBufferPointer { times in
                own.values.withUnsafeBufferPointer { values in take(times, values, into: &rows) }
            }
            return
        }
        if let first = options.firstSample { while let i = range.first, times[i] <= first { range = (i + 1)..<range.upperBound } }
        if let to = options.to { while let i = range.last, times[i] > to { range = range.lowerBound..<i } }
        if range.isEmpty { return }
        take(UnsafeBufferPointer(rebasing: times[range]), UnsafeBufferPointer(rebasing: values[range]), into: &rows)
    }

    package mutating func add(times: [Milliseconds], values: [Double], into rows: inout HistoryRows) throws(HistoryOrderError) {
        let result: Result<Void, HistoryOrderError> = times.withUnsafeBufferPointer { times in
            values.withUnsafeBufferPointer { values in
                do throws(HistoryOrderError) {
                    return .success(try add(times: times, values: values, into: &rows))
                } catch {
                    return .failure(error)
                }
            }
        }
        try result.get()
    }

    /// Leaves out the second of two samples of one time, and what lies outside the bounds.
    private mutating func compact(
        _ times: UnsafeBufferPointer<Milliseconds>, _ values: UnsafeBufferPointer<Double>
    ) throws(HistoryOrderError) {
        scratch.times.removeAll(keepingCapacity: true)
        scratch.values.removeAll(keepingCapacity: true)
        var (newest, newestValue) = (lastTime, lastValue)
        for i in 0..<min(times.count, values.count) {
            let time = times[i]
            if time < newest { throw HistoryOrderError(index: i, time: time, before: newest) }
            if time == newest {
                if values[i].bitPattern == newestValue.bitPattern { duplicates += 1 } else { conflicts += 1 }
                continue
            }
            if let first = options.firstSample, time <= first { continue }
            if let to = options.to, time > to { continue }
            (newest, newestValue) = (time, values[i])
            scratch.times.append(time)
            scratch.values.append(values[i])
        }
    }

    /// Strictly increasing times after `lastTime`, within the bounds.
    private mutating func take(
        _ times: UnsafeBufferPointer<Milliseconds>, _ values: UnsafeBufferPointer<Double>, into rows: inout HistoryRows
    ) {
        guard let newest = times.last, let first = times.first, let value = values.last else { return }
        if lastTime == .min { begin(at: first) }
        count += times.count
        if isCounter {
            var rates: [Double] = []
            swap(&rates, &scratch.rates)
            rate(times, values, into: &rates)
            rates.withUnsafeBufferPointer { analyse(times, $0, into: &rows) }
            swap(&rates, &scratch.rates)
        } else {
            analyse(times, values, into: &rows)
        }
        (lastTime, lastValue) = (newest, value)
    }

    private func rate(_ times: UnsafeBufferPointer<Milliseconds>, _ values: UnsafeBufferPointer<Double>, into rates: inout [Double]) {
        rates.removeAll(keepingCapacity: true)
        rates.reserveCapacity(times.count)
        var (time, value) = (lastTime, lastValue)
        for i in times.indices {
            rates.append(counterRate(time, value, times[i], values[i]))
            (time, value) = (times[i], values[i])
        }
    }

    /// The first points of each grid.
    private mutating func begin(at first: Milliseconds) {
        let start = max(first, (options.from ?? .min / 2) + 1)
        nextRow = grid(start, options.every)
        nextProfile = options.profiles.map { grid(start, $0) } ?? .max
        nextForecast = options.forecasts.map { grid(start, $0) } ?? .max
        slotEnd = grid(first, slotLength)
    }

    private func grid(_ time: Milliseconds, _ interval: Milliseconds) -> Milliseconds {
        let rest = time % interval
        return rest > 0 ? time - rest + interval : time - rest
    }

    private mutating func analyse(
        _ times: UnsafeBufferPointer<Milliseconds>, _ values: UnsafeBufferPointer<Double>, into rows: inout HistoryRows
    ) {
        guard quantiles != nil else { return walk(times, values, into: &rows) }
        staged.times.append(contentsOf: times)
        staged.values.append(contentsOf: values)
        let wanted = max(HistoryAnalysis.segment, samples.times.count)
        if staged.times.count >= wanted { unstage(into: &rows) }
    }

    private mutating func unstage(into rows: inout HistoryRows) {
        var block: (times: [Milliseconds], values: [Double]) = ([], [])
        swap(&block, &staged)
        block.times.withUnsafeBufferPointer { times in
            block.values.withUnsafeBufferPointer { values in walk(times, values, into: &rows) }
        }
        block.times.removeAll(keepingCapacity: true)
        block.values.removeAll(keepingCapacity: true)
        swap(&block, &staged)
    }

    /// Sums the analysed values up by slot; rows fall due between slots.
    private mutating func walk(
        _ times: UnsafeBufferPointer<Milliseconds>, _ values: UnsafeBufferPointer<Double>, into rows: inout HistoryRows
    ) {
        if keepsSamples {
            for i in times.indices where values[i].isFinite { samples.append(times[i], values[i]) }
        }
        var i = 0
        while i < times.count {
            if times[i] > slotEnd {
                closeSlot()
                giveRows(before: times[i], into: &rows)
                slotEnd = grid(times[i], slotLength)
            }
            var end = i + 1
            while end < times.count, times[end] <= slotEnd { end += 1 }
            sum(UnsafeBufferPointer(rebasing: values[i..<end]), endsSlot: end < times.count)
            i = end
        }
    }

    // MARK: Slots

    /// Adds values to the open slot, a segment of a fixed size at a time: so the sum depends on the values alone.
    @inline(__always)
    private mutating func sum(_ values: UnsafeBufferPointer<Double>, endsSlot: Bool) {
        if pending.isEmpty, endsSlot, values.count < HistoryAnalysis.segment {
            slot.merge(Moments(of: values))
            return
        }
        hold(values)
    }

    private mutating func hold(_ values: UnsafeBufferPointer<Double>) {
        var rest = values[...]
        while !rest.isEmpty {
            let part = rest.prefix(HistoryAnalysis.segment - pending.count)
            pending.append(contentsOf: part)
            rest = rest.dropFirst(part.count)
            if pending.count == HistoryAnalysis.segment { mergePending() }
        }
    }

    private mutating func mergePending() {
        if pending.isEmpty { return }
        slot.merge(pending.withUnsafeBufferPointer { Moments(of: $0) })
        pending.removeAll(keepingCapacity: true)
    }

    private mutating func closeSlot() {
        mergePending()
        if slot.count == 0 { return }
        slots.append(end: slotEnd, slot)
        if options.profiles != nil { models.add(slot, end: slotEnd) }
        slot = Moments()
    }

    // MARK: Rows

    /// The end of the series: gives the rows that are left. After it comes nothing more.
    package mutating func finish(into rows: inout HistoryRows) {
        if lastTime == .min { return }
        if !staged.times.isEmpty { unstage(into: &rows) }
        closeSlot()
        let end = options.to ?? max(grid(lastTime, options.every), lastTime)
        giveRows(before: end == .max ? end : end + 1, into: &rows)
        lastTime = .max
    }

    /// Gives what is due before `time`; all samples up to then are in closed slots.
    private mutating func giveRows(before time: Milliseconds, into rows: inout HistoryRows) {
        while true {
            let next = min(nextRow, nextProfile, nextForecast)
            if next >= time { break }
            if next == nextRow {
                if !giveWindows(at: next, into: &rows) {
                    // Nothing is left in any window, nor comes before `time`.
                    nextRow = grid(time, options.every)
                    continue
                }
                nextRow += options.every
            } else if next == nextProfile {
                let isHeld = giveProfile(at: next, into: &rows)
                nextProfile = isHeld ? next + (options.profiles ?? 0) : grid(time, options.profiles ?? 1)
            } else {
                let isHeld = giveForecast(at: next, into: &rows)
                nextForecast = isHeld ? next + (options.forecasts ?? 0) : grid(time, options.forecasts ?? 1)
            }
        }
        forget()
    }

    /// False if every window is empty.
    private mutating func giveWindows(at t: Milliseconds, into rows: inout HistoryRows) -> Bool {
        let first = rows.statistics.count
        for i in sliding.indices {
            rows.statistics.append(WindowStatistics(sliding[i].summary(at: t, of: slots), window: sliding[i].window))
        }
        guard rows.statistics[first...].contains(where: { $0.count > 0 }) else {
            rows.statistics.removeLast(rows.statistics.count - first)
            return false
        }
        if quantiles != nil {
            quantiles?.quantiles(at: t, of: samples, into: &scratch.quantiles)
            for (i, answer) in scratch.quantiles.enumerated() {
                guard let answer else { continue }
                rows.statistics[first + i].p50 = answer.p50.ifFinite
                rows.statistics[first + i].p95 = answer.p95.ifFinite
                rows.statistics[first + i].p99 = answer.p99.ifFinite
            }
        }
        rows.items.append(.windows(time: t, first: first))
        return true
    }

    private mutating func giveProfile(at t: Milliseconds, into rows: inout HistoryRows) -> Bool {
        guard let profile = models.profile(at: t, samples) else { return false }
        rows.items.append(.profile(rows.profiles.count))
        rows.profiles.append(profile)
        return true
    }

    private mutating func giveForecast(at t: Milliseconds, into rows: inout HistoryRows) -> Bool {
        guard let forecast = models.forecast(at: t, samples) else { return false }
        rows.items.append(.forecast(rows.forecasts.count))
        rows.forecasts.append(forecast)
        return true
    }

    private mutating func forget() {
        // The longest window begins first.
        slots.drop(below: sliding.last?.low ?? 0)
        guard keepsSamples else { return }
        let now = min(nextRow, nextProfile, nextForecast)
        var low = samples.index(after: now == .max ? now : now - options.holding, from: samples.dropped)
        if let quantiles { low = min(low, quantiles.low) }
        samples.drop(below: low)
    }
}

extension WindowStatistics {
    /// What a window reports of its summary, as the live analyzer does: nil where there is nothing to say.
    package init(_ m: Moments, window: Milliseconds) {
        self.init(
            window: window, count: m.count, min: m.count > 0 ? m.min : nil, max: m.count > 0 ? m.max : nil,
            avg: m.count > 0 ? m.mean.ifFinite : nil, stddev: m.stddev?.ifFinite)
    }
}

extension Double {
    var ifFinite: Double? { isFinite ? self : nil }
}

/// Of positive numbers.
private func greatestCommonDivisor(_ a: Milliseconds, _ b: Milliseconds) -> Milliseconds {
    var (a, b) = (a, b)
    while b != 0 { (a, b) = (b, a % b) }
    return a
}
