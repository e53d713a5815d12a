import Analytics
import Records
import TimeSeries

extension AnalyzerState {
    /// Gives the detectors of these series what has come since they last looked, in order, and puts what they say into the output. Late samples are
    /// not looked at. A detector with much to catch up on waits for its place in the forecast interval, so that a start shows no spike.
    mutating func detectAnomalies(_ members: [Int32], after before: Milliseconds, at t: Milliseconds, _ output: inout AnalyzerOutput) {
        guard let anomalies = options.anomalies else { return }
        var found: [Shard: [AnomalyResult]] = [:]
        for id in members {
            guard let last = table[id].history.lastTime, last > table[id].models.detectedTo else { continue }
            if options.anomalyMetrics.map({ !$0(table[id].key.labels.name) }) ?? false { continue }
            let isBehind = last - max(table[id].models.detectedTo, 0) > 20 * options.interval
            if isBehind, !isDue(id, after: before, at: t, interval: options.forecastInterval) { continue }
            detect(id, to: t, anomalies, &found)
        }
        for (shard, results) in found.sorted(by: { $0.key.index < $1.key.index }) {
            output.results.append((shard, .anomalies(results.sorted { $0.time < $1.time })))
        }
    }

    private mutating func detect(_ id: Int32, to t: Milliseconds, _ anomalies: AnomalyOptions, _ found: inout [Shard: [AnomalyResult]]) {
        let from = table[id].models.detectedTo
        let (times, values) = table[id].history.analysedSamples(from: from, to: t, scratch: &scratch)
        let key = table[id].key
        let revision = revision(of: key.id.shard)
        if table[id].models.detector == nil { table[id].models.detector = AnomalyDetector(options: anomalies) }
        for (time, value) in zip(times, values) {
            guard let event = table[id].models.detector?.update(time: time, value: value) else { continue }
            found[key.id.shard, default: []].append(AnomalyResult(series: key, revision: revision, event))
        }
        // Also past what is not analysed: it is not looked at again.
        if let last = table[id].history.lastTime { table[id].models.detectedTo = max(from, times.last ?? .min, min(last, t)) }
    }

    /// Closes the incident of a series that leaves.
    mutating func finishDetection(_ id: Int32) -> AnomalyResult? {
        guard let event = table[id].models.detector?.finish() else { return nil }
        let key = table[id].key
        return AnomalyResult(series: key, revision: revision(of: key.id.shard), event)
    }
}

extension AnomalyResult {
    fileprivate init(series: SeriesKey, revision: Revision, _ event: AnomalyEvent) {
        self.init(
            series: series, time: event.time, revision: revision, onset: event.onset, end: event.end, score: event.score,
            expected: event.expected, seen: event.seen, cause: event.cause.name)
    }
}
