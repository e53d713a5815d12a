import Records
import TimeSeries

/// Results read back from lines, as stores and topics take them.
package struct TransformResults: Sendable, Equatable {
    package var windows: [WindowsResult] = []
    package var profiles: [ProfileResult] = []
    package var forecasts: [ForecastResult] = []

    package init() {}

    package var isEmpty: Bool { windows.isEmpty && profiles.isEmpty && forecasts.isEmpty }
    /// Results held: rows of all kinds.
    package var count: Int { windows.count + profiles.count + forecasts.count }
}

/// Turns lines of results into results. Lines of kind `windows` that follow each other with one series and time become one row, so lines come
/// as they were written: pieces may be cut anywhere between lines, `finish` gives the last row.
package struct TransformDecoder: Sendable {
    /// What the revision of each result becomes.
    private let revision: Revision
    /// Types of series whose names do not tell.
    package var types: [Fingerprint: MetricType] = [:]
    private var results = TransformResults()
    private var open: WindowsResult?
    private var series: (text: [UInt8], key: SeriesKey)?

    package init(revision: Revision) { self.revision = revision }

    /// Takes whole lines, each with its line end.
    package mutating func add(_ lines: some Sequence<UInt8>) throws(TransformLineError) {
        var line: [UInt8] = []
        for byte in lines {
            if byte != 0x0A {
                line.append(byte)
                continue
            }
            try add(TransformLine(parsing: line))
            line.removeAll(keepingCapacity: true)
        }
        if !line.isEmpty {
            throw TransformLineError(description: "the last line of results is cut: '\(String(decoding: line.prefix(80), as: UTF8.self))'")
        }
    }

    package mutating func add(_ line: TransformLine) throws(TransformLineError) {
        let key = try key(of: line.series)
        switch line.kind {
        case .windows: addWindow(line, key)
        case .profile:
            closeRow()
            results.profiles.append(try profile(line, key))
        case .forecast:
            closeRow()
            results.forecasts.append(try forecast(line, key))
        }
    }

    /// The results of the lines so far but for a row that may go on.
    package mutating func take() -> TransformResults {
        defer { results = TransformResults() }
        return results
    }

    /// The rest, at the end of the lines.
    package mutating func finish() -> TransformResults {
        closeRow()
        return take()
    }

    /// Results that `take` would give.
    package var count: Int { results.count }

    private mutating func key(of text: String) throws(TransformLineError) -> SeriesKey {
        let bytes = Array(text.utf8)
        if let series, series.text == bytes { return series.key }
        let labels: LabelSet
        do { labels = try SeriesNotation.parse(bytes) } catch { throw TransformLineError(description: "\(error)") }
        let id = labels.fingerprint
        let key = SeriesKey(labels: labels, type: types[id] ?? .guess(name: labels.name), id: id)
        series = (bytes, key)
        return key
    }

    private mutating func addWindow(_ line: TransformLine, _ key: SeriesKey) {
        let window = WindowStatistics(
            window: line.window ?? 0, count: line.count ?? 0, min: line.min, max: line.max, avg: line.avg, stddev: line.stddev,
            p50: line.p50,
            p95: line.p95, p99: line.p99)
        if open?.series == key, open?.time == line.time {
            open?.windows.append(window)
        } else {
            closeRow()
            open = WindowsResult(series: key, time: line.time, revision: revision, windows: [window])
        }
    }

    private mutating func closeRow() {
        if let open { results.windows.append(open) }
        open = nil
    }

    private func detail(_ line: TransformLine) throws(TransformLineError) -> JSONValue {
        do { return try JSONValue(parsing: Array((line.detail ?? "").utf8)) } catch {
            throw TransformLineError(description: "column detail is not JSON: \(error)")
        }
    }

    private func profile(_ line: TransformLine, _ key: SeriesKey) throws(TransformLineError) -> ProfileResult {
        let detail = try detail(line)
        return ProfileResult(
            series: key, time: line.time, revision: revision, verdict: detail["stationarity"]?["verdict"]?.stringValue,
            samples: line.count ?? detail["samples"]?.intValue ?? 0, detail: detail)
    }

    private func forecast(_ line: TransformLine, _ key: SeriesKey) throws(TransformLineError) -> ForecastResult {
        let detail = try detail(line)
        guard let horizon = line.window, let step = detail["step"]?.int64Value else {
            throw TransformLineError(description: "a forecast has no horizon or no step")
        }
        do {
            return ForecastResult(
                series: key, time: line.time, revision: revision, horizon: horizon, step: step, max: try Prediction(json: detail["max"]),
                min: try Prediction(json: detail["min"]), avg: try Prediction(json: detail["avg"]),
                path: try Prediction.path(detail["path"]),
                reason: detail["reason"]?.stringValue)
        } catch {
            throw TransformLineError(description: "column detail: \(error)")
        }
    }
}
