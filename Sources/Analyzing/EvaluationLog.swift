import Records
import TimeSeries

/// One line of a time log: how long an evaluation of many series took.
package struct EvaluationLogLine: Sendable {
    package enum Kind: String, Sendable {
        case metadata
        case value
        case predict
    }

    package var kind: Kind
    /// Evaluation time on the grid.
    package var time: Milliseconds
    package var series: Int
    /// Seconds spent on getting the samples.
    package var fetch: Double
    /// Seconds spent on computing.
    package var compute: Double
    /// Seconds a series: median, 99th percentile, greatest.
    package var p50: Double
    package var p99: Double
    package var max: Double
    /// Seconds of each series, where `AnalyzeOptions.timesEachSeries` asks for them.
    package var each: [(series: SeriesKey, seconds: Double)]
}

/// Collects the durations of one evaluation.
struct DurationCollector {
    let keepsEach: Bool
    private var seconds: [Double] = []
    private var each: [(series: SeriesKey, seconds: Double)] = []
    var fetch = 0.0

    init(keepsEach: Bool) { self.keepsEach = keepsEach }

    mutating func add(_ duration: Double, _ series: @autoclosure () -> SeriesKey) {
        seconds.append(duration)
        if keepsEach { each.append((series(), duration)) }
    }

    var isEmpty: Bool { seconds.isEmpty }

    func line(_ kind: EvaluationLogLine.Kind, time: Milliseconds) -> EvaluationLogLine {
        let sorted = seconds.sorted()
        func rank(_ q: Double) -> Double { sorted.isEmpty ? 0 : sorted[Int(q * Double(sorted.count - 1))] }
        return EvaluationLogLine(
            kind: kind, time: time, series: sorted.count, fetch: fetch, compute: sorted.reduce(0, +), p50: rank(0.5), p99: rank(0.99),
            max: sorted.last ?? 0, each: each)
    }
}
