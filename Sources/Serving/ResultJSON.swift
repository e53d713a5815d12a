import Records
import Storage
import TimeSeries

/// The forms in which results leave the API. `/openapi.json` describes them; a test holds the two together.
enum ResultJSON {
    typealias Members = [(key: String, value: JSONValue)]

    /// `name` as ISO 8601 and `nameMs` as epoch milliseconds.
    static func time(_ name: String, _ time: Milliseconds) -> Members {
        [(key: name, value: .string(Timestamps.format(time))), (key: name + "Ms", value: .int(time))]
    }

    private static func head(_ result: some LiveResult) -> Members {
        time("time", result.time) + [(key: "revision", value: .int(result.revision.rawValue))]
    }

    static func identity(_ key: SeriesKey) -> Members {
        [(key: "id", value: .string(key.id.description)), (key: "series", value: .string(key.labels.description))]
    }

    static func series(_ series: StoredSeries) -> Members {
        let labels: Members = series.key.labels.labels.compactMap { label in
            label.name == LabelSet.metricName ? nil : (key: label.name, value: .string(label.value))
        }
        return identity(series.key)
            + [
                (key: "name", value: .string(series.key.labels.name)),
                (key: "labels", value: .object(labels)),
                (key: "type", value: .string(series.key.type.wireName)),
            ] + time("firstSeen", series.firstSeen) + time("lastSeen", series.lastSeen)
    }

    static func windows(_ result: WindowsResult) -> Members {
        head(result) + [(key: "windows", value: .array(result.windows.map { .object(window($0)) }))]
    }

    private static func window(_ w: WindowStatistics) -> Members {
        [
            (key: "window", value: .string(w.window.durationText)), (key: "windowMs", value: .int(w.window)),
            (key: "count", value: .int(Int64(w.count))), (key: "min", value: JSONValue(w.min)), (key: "max", value: JSONValue(w.max)),
            (key: "avg", value: JSONValue(w.avg)), (key: "stddev", value: JSONValue(w.stddev)), (key: "p50", value: JSONValue(w.p50)),
            (key: "p95", value: JSONValue(w.p95)), (key: "p99", value: JSONValue(w.p99)),
        ]
    }

    /// Without the details: what a table shows.
    static func profileSummary(_ result: ProfileResult) -> Members {
        head(result) + [(key: "verdict", value: JSONValue(result.verdict)), (key: "samples", value: .int(Int64(result.samples)))]
    }

    static func profile(_ result: ProfileResult) -> Members {
        profileSummary(result) + [(key: "profile", value: result.detail)]
    }

    static func forecast(_ result: ForecastResult, path: Bool) -> Members {
        var members =
            head(result) + [
                (key: "horizon", value: .string(result.horizon.durationText)), (key: "horizonMs", value: .int(result.horizon)),
                (key: "stepMs", value: .int(result.step)),
                (key: "max", value: prediction(result.max)), (key: "min", value: prediction(result.min)),
                (key: "avg", value: prediction(result.avg)), (key: "reason", value: JSONValue(result.reason)),
            ]
        if path, !result.path.isEmpty {
            let points = result.path.enumerated().map { i, point in
                let at: Members = [(key: "timeMs", value: .int(result.time + result.step * Milliseconds(i + 1)))]
                return JSONValue.object(at + predictionMembers(point))
            }
            members.append((key: "path", value: .array(points)))
        }
        return members
    }

    static func anomaly(_ result: AnomalyResult) -> Members {
        head(result) + time("onset", result.onset)
            + [
                (key: "end", value: result.end.map { .string(Timestamps.format($0)) } ?? .null),
                (key: "endMs", value: result.end.map { .int($0) } ?? .null), (key: "score", value: JSONValue(result.score)),
                (key: "expected", value: JSONValue(result.expected)), (key: "seen", value: JSONValue(result.seen)),
                (key: "cause", value: .string(result.cause)),
            ]
    }

    private static func prediction(_ prediction: Prediction?) -> JSONValue {
        prediction.map { .object(predictionMembers($0)) } ?? .null
    }

    private static func predictionMembers(_ p: Prediction) -> Members {
        [(key: "expected", value: JSONValue(p.expected)), (key: "intervals", value: intervals(p))]
    }

    /// `{"80": [lower, upper], "95": [lower, upper]}`
    static func intervals(_ p: Prediction) -> JSONValue {
        .object([
            (key: "80", value: .array([JSONValue(p.lower80), JSONValue(p.upper80)])),
            (key: "95", value: .array([JSONValue(p.lower95), JSONValue(p.upper95)])),
        ])
    }

    static func sparkline(_ line: Sparkline) -> JSONValue {
        // Six digits draw as well as seventeen, and are a third of the bytes.
        let values = line.values.map { JSONValue($0.map { Double(Float($0).description) ?? $0 }) }
        return .object([
            (key: "fromMs", value: .int(line.from)), (key: "stepMs", value: .int(line.step)), (key: "values", value: .array(values)),
        ])
    }
}
