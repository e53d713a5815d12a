import TimeSeries

/// Statistics of one series over one window (t-w, t]. Values are nil where there is nothing to say: an empty window, a
/// deviation of one sample, a result that is not finite.
package struct WindowStatistics: Sendable, Equatable {
    /// Length of the window, milliseconds.
    package var window: Milliseconds
    package var count: Int
    package var min: Double?
    package var max: Double?
    package var avg: Double?
    /// Sample standard deviation, divisor n-1.
    package var stddev: Double?
    package var p50: Double?
    package var p95: Double?
    package var p99: Double?

    package init(
        window: Milliseconds, count: Int, min: Double? = nil, max: Double? = nil, avg: Double? = nil, stddev: Double? = nil,
        p50: Double? = nil, p95: Double? = nil, p99: Double? = nil
    ) {
        self.window = window
        self.count = count
        self.min = min
        self.max = max
        self.avg = avg
        self.stddev = stddev
        self.p50 = p50
        self.p95 = p95
        self.p99 = p99
    }
}

/// All windows of one series at one time of the evaluation grid.
package struct WindowsResult: Sendable, Equatable {
    package var series: SeriesKey
    package var time: Milliseconds
    package var revision: Revision
    package var windows: [WindowStatistics]

    package init(series: SeriesKey, time: Milliseconds, revision: Revision, windows: [WindowStatistics]) {
        self.series = series
        self.time = time
        self.revision = revision
        self.windows = windows
    }
}

/// The character of one series at a time. `detail` is a JSON object whose form docs/formats/prometheusdata.md gives; the few
/// fields that tables and queries need stand beside it.
package struct ProfileResult: Sendable, Equatable {
    package var series: SeriesKey
    package var time: Milliseconds
    package var revision: Revision
    /// `stationary`, `unit-root`, `structural-break-or-long-memory`, `inconclusive`, `constant`; nil with a reason in `detail`.
    package var verdict: String?
    /// Samples that were analysed.
    package var samples: Int
    package var detail: JSONValue

    package init(series: SeriesKey, time: Milliseconds, revision: Revision, verdict: String?, samples: Int, detail: JSONValue) {
        self.series = series
        self.time = time
        self.revision = revision
        self.verdict = verdict
        self.samples = samples
        self.detail = detail
    }
}

/// An expected value with its 80 % and 95 % intervals.
package struct Prediction: Sendable, Equatable {
    package var expected: Double
    package var lower80: Double
    package var upper80: Double
    package var lower95: Double
    package var upper95: Double

    package init(expected: Double, lower80: Double, upper80: Double, lower95: Double, upper95: Double) {
        self.expected = expected
        self.lower80 = lower80
        self.upper80 = upper80
        self.lower95 = lower95
        self.upper95 = upper95
    }
}

/// What is expected of one series over (time, time + horizon].
package struct ForecastResult: Sendable, Equatable {
    package var series: SeriesKey
    package var time: Milliseconds
    package var revision: Revision
    package var horizon: Milliseconds
    /// Milliseconds between the steps of `path`.
    package var step: Milliseconds
    /// nil with a `reason` where nothing can be said.
    package var max: Prediction?
    package var min: Prediction?
    package var avg: Prediction?
    /// Expected values at time + step, time + 2 step, ... Only the latest forecast's path is kept.
    package var path: [Prediction]
    package var reason: String?

    package init(
        series: SeriesKey, time: Milliseconds, revision: Revision, horizon: Milliseconds, step: Milliseconds,
        max: Prediction? = nil, min: Prediction? = nil, avg: Prediction? = nil, path: [Prediction] = [], reason: String? = nil
    ) {
        self.series = series
        self.time = time
        self.revision = revision
        self.horizon = horizon
        self.step = step
        self.max = max
        self.min = min
        self.avg = avg
        self.path = path
        self.reason = reason
    }
}

/// What the analyzer has learnt of a series beyond its samples: the fitted forecaster with its calibration, and the anomaly detector. Only the newest
/// is kept. The bytes are the analyzer's own; docs/formats/chunks.md.
package struct ModelStateResult: Sendable, Equatable {
    package var series: SeriesKey
    /// Of the newest sample that the state has seen.
    package var time: Milliseconds
    package var revision: Revision
    package var data: [UInt8]

    package init(series: SeriesKey, time: Milliseconds, revision: Revision, data: [UInt8]) {
        self.series = series
        self.time = time
        self.revision = revision
        self.data = data
    }
}

/// A sealed chunk of one series: samples in (start, end], encoded as TimeSeries.Chunk says, and its place in the input.
package struct ChunkResult: Sendable, Equatable {
    package var series: SeriesKey
    package var start: Milliseconds
    package var end: Milliseconds
    package var revision: Revision
    /// Raw samples in the chunk.
    package var count: Int
    /// Every sample of this series below this input offset is in this chunk, in an earlier one, or was refused: replay from here.
    package var replayOffset: Int64
    /// Summary of what is analysed (values of a gauge, rates of a counter).
    package var moments: Moments
    package var data: [UInt8]

    package init(
        series: SeriesKey, start: Milliseconds, end: Milliseconds, revision: Revision, count: Int, replayOffset: Int64,
        moments: Moments, data: [UInt8]
    ) {
        self.series = series
        self.start = start
        self.end = end
        self.revision = revision
        self.count = count
        self.replayOffset = replayOffset
        self.moments = moments
        self.data = data
    }
}
