import Flows
import Messaging
import Telemetry
import TimeSeries

/// The way of one flow's records to the log, for any source: maps, gathers, promises. Belongs to one task or actor.
struct FlowLine {
    let definition: FlowDefinition
    private let metrics: FlowMetrics
    var mapper: FlowMapper
    private var batch: FlowBatch
    private(set) var promise: FlowPromise

    init(_ definition: FlowDefinition, joins: JoinSet, topic: String, metrics: FlowMetrics) throws(FlowProblem) {
        self.definition = definition
        self.metrics = metrics
        mapper = try FlowMapper(definition, joins: joins)
        batch = FlowBatch(definition, topic: topic)
        promise = FlowPromise(disorder: definition.disorder)
    }

    /// Samples gathered and not taken yet.
    var pending: Int { batch.count }

    mutating func begin(_ part: Int32, now: Milliseconds) { promise.begin(part, now: now) }
    mutating func end(_ part: Int32) { promise.end(part) }

    /// Maps a whole body.
    mutating func take(_ body: [UInt8], part: Int32 = 0, arrival: Milliseconds, now: Milliseconds) -> FlowTally {
        let tally = mapper.mapBody(body, arrival: arrival)
        add(tally.samples, part, now)
        metrics.count(tally)
        return tally
    }

    /// Maps one record of a stream; gives the reason if it is refused.
    mutating func take(record: [UInt8], now: Milliseconds) -> String? {
        switch mapper.map(record, arrival: now) {
        case .samples(let samples):
            metrics.accepted.add()
            add(samples, 0, now)
        case .dropped: metrics.dropped.add()
        case .refused(let reason):
            metrics.rejected.add()
            return reason
        }
        return nil
    }

    func countRejected() { metrics.rejected.add() }

    private mutating func add(_ samples: [FlowSample], _ part: Int32, _ now: Milliseconds) {
        guard let newest = samples.map(\.time).max() else { return }
        promise.observe(part, newest, now: now)
        let before = batch.overLimit
        batch.add(samples)
        metrics.overLimit.add(batch.overLimit - before)
    }

    /// What is to be produced now; empty if nothing was gathered.
    mutating func records(now: Milliseconds) -> ScrapeRecords {
        if batch.count == 0 {
            batch.forgetStale()
            return ScrapeRecords()
        }
        let records = batch.take(watermark: promise.value(now: now))
        metrics.samples.add(records.samples)
        metrics.newest.set(Double(promise.newest) / 1_000)
        return records
    }
}
