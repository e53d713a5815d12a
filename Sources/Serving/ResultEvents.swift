import Records
import Storage
import TimeSeries

/// Results as event data. Compact: a forecast without its path, a profile without its details; `/api/v1/series/{id}` has them.
struct ResultEvents: Sendable {
    let recent: RecentSamples

    func event(_ record: ResultRecord) -> (name: String, items: [EventItem]) {
        switch record {
        case .windows(let results):
            ("windows", results.map { item($0.series, ResultJSON.windows($0) + last($0.series)) })
        case .profiles(let results):
            ("profile", results.map { item($0.series, ResultJSON.profileSummary($0)) })
        case .forecasts(let results):
            ("forecast", results.map { item($0.series, ResultJSON.forecast($0, path: false)) })
        case .anomalies(let results):
            ("anomaly", results.map { item($0.series, ResultJSON.anomaly($0)) })
        }
    }

    private func item(_ key: SeriesKey, _ members: ResultJSON.Members) -> EventItem {
        EventItem(.series(key), json: JSONValue.object(ResultJSON.identity(key) + members).jsonBytes)
    }

    /// The newest value, so that a page can go on drawing without asking.
    private func last(_ key: SeriesKey) -> ResultJSON.Members {
        [(key: "last", value: LastValue(recent, key)?.json ?? .null)]
    }
}

/// The newest value of a series as it is shown: a counter's as its rate.
struct LastValue: Sendable {
    let time: Milliseconds
    let value: Double

    init?(_ recent: RecentSamples, _ key: SeriesKey) {
        guard let end = recent.key(of: key.id)?.lastSeen else { return nil }
        let samples = recent.samples(of: key.id, from: end - 600_000, to: end)
        let shown = key.type == .counter ? Rates.perSecond(samples.times, samples.values) : samples
        guard let time = shown.times.last, let value = shown.values.last else { return nil }
        self.time = time
        self.value = value
    }

    var json: JSONValue {
        .object(ResultJSON.time("time", time) + [(key: "value", value: JSONValue(value))])
    }
}
