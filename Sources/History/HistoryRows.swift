import Records
import TimeSeries

/// What an analysis gives, in order of time; of one time windows first, then profile, then forecast. Kept and emptied by the caller, so that rows
/// cost no allocation.
package struct HistoryRows: Sendable {
    package enum Item: Sendable, Equatable {
        /// Statistics of all windows, from this index of `statistics` on.
        case windows(time: Milliseconds, first: Int)
        /// Index in `profiles`.
        case profile(Int)
        /// Index in `forecasts`.
        case forecast(Int)
    }

    package internal(set) var items: [Item] = []
    package internal(set) var statistics: [WindowStatistics] = []
    package internal(set) var profiles: [ProfileResult] = []
    package internal(set) var forecasts: [(result: ForecastResult, samples: Int)] = []

    package init() {}

    package var isEmpty: Bool { items.isEmpty }

    package mutating func removeAll() {
        items.removeAll(keepingCapacity: true)
        statistics.removeAll(keepingCapacity: true)
        profiles.removeAll(keepingCapacity: true)
        forecasts.removeAll(keepingCapacity: true)
    }

    /// Appends the rows as lines of results; returns how many.
    package func write(to writer: inout TransformWriter, series: [UInt8], windows: Int) -> Int {
        var lines = 0
        for item in items {
            switch item {
            case .windows(let time, let first):
                for i in first..<(first + windows) { writer.write(statistics[i], series: series, time: time) }
                lines += windows
            case .profile(let i):
                writer.write(profiles[i], series: series)
                lines += 1
            case .forecast(let i):
                writer.write(forecasts[i].result, samples: forecasts[i].samples, series: series)
                lines += 1
            }
        }
        return lines
    }

    /// The rows of windows as results.
    package func windowsResults(series: SeriesKey, revision: Revision, windows: Int) -> [WindowsResult] {
        items.compactMap { item in
            guard case .windows(let time, let first) = item else { return nil }
            return WindowsResult(series: series, time: time, revision: revision, windows: Array(statistics[first..<(first + windows)]))
        }
    }
}
