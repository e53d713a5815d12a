import History
import Records
import TimeSeries

/// The analysis of one series after the other: samples go in, lines of results come out.
struct SeriesAnalysis {
    private let options: HistoryOptions
    private var analysis: HistoryAnalysis?
    private var rows = HistoryRows()
    /// The one at hand.
    private(set) var series: ResolvedSeries?
    /// Lines written.
    private(set) var lines = 0
    /// Samples left out because another value of the same time came before, in the series that have ended.
    private(set) var conflicts = 0

    init(options: HistoryOptions) { self.options = options }

    mutating func begin(_ series: ResolvedSeries) {
        analysis = HistoryAnalysis(series: series.key, options: options)
        self.series = series
    }

    /// Samples of the series at hand, in order of time. Throws `HistoryOrderError`.
    mutating func add(
        times: UnsafeBufferPointer<Milliseconds>, values: UnsafeBufferPointer<Double>, into writer: inout TransformWriter
    ) throws(HistoryOrderError) {
        try analysis?.add(times: times, values: values, into: &rows)
        drain(into: &writer)
    }

    mutating func add(times: [Milliseconds], values: [Double], into writer: inout TransformWriter) throws(HistoryOrderError) {
        try analysis?.add(times: times, values: values, into: &rows)
        drain(into: &writer)
    }

    /// The series at hand is whole; gives it, if there is one.
    @discardableResult
    mutating func end(into writer: inout TransformWriter) -> ResolvedSeries? {
        guard let series else { return nil }
        analysis?.finish(into: &rows)
        conflicts += analysis?.conflicts ?? 0
        drain(into: &writer)
        analysis = nil
        self.series = nil
        return series
    }

    private mutating func drain(into writer: inout TransformWriter) {
        guard !rows.isEmpty, let series else { return }
        lines += rows.write(to: &writer, series: series.text, windows: options.windows.count)
        rows.removeAll()
    }
}
