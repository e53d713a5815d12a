import Coordination
import Flows
import Messaging
import TimeSeries

/// What the worker of one flow is given.
struct FlowContext: Sendable {
    var definition: FlowDefinition
    /// The topic for samples.
    var topic: String
    var log: any MessageLog
    var coordinator: any Coordinator
    var environment: CollectEnvironment
    var joins: JoinLoader
    var metrics: FlowMetrics
    /// Where the places in files are remembered; nil: nowhere.
    var stateDirectory: String?

    func line() throws(FlowProblem) -> FlowLine { try FlowLine(definition, joins: joins.joins, topic: topic, metrics: metrics) }

    /// Returns when the log has the records. Throws only when the task is cancelled.
    func send(_ records: ScrapeRecords) async throws {
        if records.records.isEmpty { return }
        let isTaken = await deliver(
            records.records, samples: records.samples, to: log, name: "flow \(definition.name)", environment: environment)
        if !isTaken { throw CancellationError() }
    }
}

/// One flow at work.
protocol FlowWorker: Sendable {
    var status: FlowStatus { get }
    /// Works until the task is cancelled, or nothing is left to do.
    func run() async
}
