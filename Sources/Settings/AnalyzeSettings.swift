import TimeSeries

package struct AnalyzeSettings: Sendable, Equatable {
    package var interval: Milliseconds = 15_000
    package var windows: [Milliseconds] = [3_600_000, 3 * 3_600_000, 12 * 3_600_000]
    package var allowedLateness: Milliseconds = 600_000
    /// A source that is silent for this long no longer holds the others back.
    package var idleTimeout: Milliseconds = 90_000
    package var maxSeries = 300_000
    package var chunkSpan: Milliseconds = 1_800_000
    package var quantiles = true
    package var profile = ProfileSettings()
    package var forecast = ForecastSettings()
    package var anomalies = AnomalySettings()

    package init() {}
}

package struct ProfileSettings: Sendable, Equatable {
    package var interval: Milliseconds = 300_000
    package var span: Milliseconds = 12 * 3_600_000

    package init() {}
}

package struct ForecastSettings: Sendable, Equatable {
    package var interval: Milliseconds = 60_000
    package var horizon: Milliseconds = 600_000
    package var refit: Milliseconds = 15 * 60_000
    package var span: Milliseconds = 12 * 3_600_000
    /// Regular expressions over whole metric names; empty for all metrics.
    package var metrics: [String] = []

    package init() {}
}

package struct AnomalySettings: Sendable, Equatable {
    package var enabled = true
    /// Incidents that a week of ordinary samples of one series may give.
    package var falseIncidentsPerWeek = 1
    /// Regular expressions over whole metric names; empty for all metrics.
    package var metrics: [String] = []

    package init() {}
}
