import Analytics
import History
import Records
import TimeSeries

extension SeriesDescription {
    /// The same as the text, for programs. Times are milliseconds since the epoch, durations milliseconds.
    var json: JSONValue {
        let more = decomposition.map { [(key: "decomposition", value: $0.json)] } ?? []
        return .object(
            [
                (key: "schema", value: 1), (key: "source", value: .string(name)),
                (key: "column", value: column.isEmpty ? .null : .string(column)),
                (key: "start", value: JSONValue(even.start)), (key: "end", value: JSONValue(even.end)),
                (key: "step", value: .int(even.step)),
                (key: "steps", value: .int(Int64(even.values.count))), (key: "missingSteps", value: .int(Int64(even.bridged))),
                (key: "statistics", value: statisticsJSON),
                (key: "profile", value: profile.json(step: even.step, filled: even.bridged, cycles: cycles)),
                (key: "forecast", value: forecastJSON),
                (key: "notes", value: .array(notes.map { .string($0) })),
            ] + more)
    }

    private var cycles: [TimedCycle] {
        profile.timedCycles(step: even.step, start: even.end.map { $0 - Milliseconds(max(analysed - 1, 0)) * even.step })
    }

    private var statisticsJSON: JSONValue {
        let moments = statistics.moments
        return .object([
            (key: "count", value: .int(Int64(moments.count))), (key: "min", value: JSONValue(moments.min)),
            (key: "max", value: JSONValue(moments.max)),
            (key: "avg", value: JSONValue(moments.mean)), (key: "stddev", value: JSONValue(moments.stddev)),
            (key: "p50", value: JSONValue(statistics.p50)),
            (key: "p95", value: JSONValue(statistics.p95)), (key: "p99", value: JSONValue(statistics.p99)),
        ])
    }

    private var forecastJSON: JSONValue {
        guard let forecast = self.forecast.value else { return .object([(key: "reason", value: JSONValue(self.forecast.reason))]) }
        return .object([
            (key: "horizon", value: .int(horizon)), (key: "step", value: .int(even.step)),
            (key: "max", value: predictionJSON(forecast.max)),
            (key: "min", value: predictionJSON(forecast.min)), (key: "avg", value: predictionJSON(forecast.avg)),
            (key: "path", value: .array(forecast.path.map(predictionJSON))), (key: "reason", value: JSONValue(self.forecast.reason)),
        ])
    }

    private func predictionJSON(_ prediction: Analytics.Prediction) -> JSONValue {
        .object([
            (key: "expected", value: JSONValue(prediction.expected)), (key: "lower80", value: JSONValue(prediction.interval80.lowerBound)),
            (key: "upper80", value: JSONValue(prediction.interval80.upperBound)),
            (key: "lower95", value: JSONValue(prediction.interval95.lowerBound)),
            (key: "upper95", value: JSONValue(prediction.interval95.upperBound)),
        ])
    }
}
