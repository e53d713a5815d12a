import Analytics
import TimeSeries

/// What the analyzer computes, and when. Times are milliseconds.
package struct AnalyzeOptions: Sendable {
    package var samplesTopic = "samples"
    package var resultsTopic = "prometheusdata"
    package var chunksTopic = "chunks"
    package var group = "almanac-analyze"
    /// The group that carries chunks into the store: a new owner waits until it has caught up.
    package var storeGroup = "almanac-store"

    /// Evaluations stand at multiples of this.
    package var interval: Milliseconds = 15_000
    /// Lengths of the windows, ascending.
    package var windows: [Milliseconds] = [3_600_000, 3 * 3_600_000, 12 * 3_600_000]
    package var quantiles = true
    /// Series held at most: a target that makes new series all the time must not take all memory.
    package var maxSeries = 300_000
    package var allowedLateness: Milliseconds = 600_000
    /// Timestamps further than this in the future of the wall clock are refused.
    package var futureBound: Milliseconds = 600_000
    package var idleTimeout: Milliseconds = 90_000
    /// Length of a chunk.
    package var chunkSpan: Milliseconds = 1_800_000
    /// Missed evaluations are made at multiples of this: the times that the history keeps.
    package var catchUpInterval: Milliseconds = 300_000

    package var profileInterval: Milliseconds = 300_000
    package var profileSpan: Milliseconds = 12 * 3_600_000
    package var forecastInterval: Milliseconds = 60_000
    package var forecastRefit: Milliseconds = 900_000
    package var forecastHorizon: Milliseconds = 600_000
    package var forecastSpan: Milliseconds = 12 * 3_600_000
    /// Metric names that are forecast; nil for all.
    package var forecastMetrics: (@Sendable (String) -> Bool)?

    /// How anomalies are told from chance; nil for none at all.
    package var anomalies: AnomalyOptions? = AnomalyOptions()
    /// Metric names that are watched for anomalies; nil for all.
    package var anomalyMetrics: (@Sendable (String) -> Bool)?
    /// How often what was learnt of a series goes to the store.
    package var modelStateInterval: Milliseconds = 1_800_000

    /// Whether the lines of the time logs name each series, too.
    package var timesEachSeries = false

    package init() {}

    /// Rows of times further in the past are never asked for: a source whose first timestamp is absurd must not be evaluated since 1970.
    var oldest: Milliseconds { holding + 24 * 3_600_000 }

    /// Length of a slot of the rollups.
    var rollupSlot: Milliseconds { max(chunkSpan, 1_800_000) }
    /// How far rollups reach back.
    var rollupSpan: Milliseconds { Milliseconds(Rollup.maximumCount) * rollupSlot }

    /// How long samples are held.
    var holding: Milliseconds { max(windows.last ?? 0, max(profileSpan, forecastSpan)) }
}
