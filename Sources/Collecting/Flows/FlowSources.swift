import Coordination
import Flows
import Logging
import Messaging
import Telemetry
import TimeSeries

/// All flows of a process and the joins that they look into.
package final class FlowSources: Sendable {
    package let loader: JoinLoader
    /// For requests.
    package let intake: FlowIntake
    private let workers: [any FlowWorker]

    /// `topic` is the one for samples. `stateDirectory` exists, and keeps how far files have been read. Throws what is wrong with a flow.
    package init(
        flows: [FlowDefinition], joins: [JoinDefinition], topic: String, stateDirectory: String?, log: any MessageLog,
        coordinator: any Coordinator, environment: CollectEnvironment, registry: MetricRegistry
    ) throws {
        let loader = JoinLoader(joins, log: log, environment: environment, registry: registry)
        var workers: [any FlowWorker] = []
        var requests: [FlowContext] = []
        for flow in flows {
            let context = FlowContext(
                definition: flow, topic: topic, log: log, coordinator: coordinator, environment: environment, joins: loader,
                metrics: FlowMetrics(registry, flow: flow.name), stateDirectory: stateDirectory)
            try flow.check(joins: loader.joins)
            switch flow.source {
            case .topic(let topic): workers.append(FlowTopicWorker(context, topic: topic))
            case .file(let path, let follows): workers.append(FlowFileWorker(context, path: path, follows: follows))
            case .http: requests.append(context)
            }
        }
        self.loader = loader
        self.workers = workers
        intake = try FlowIntake(requests, joins: loader, environment: environment, log: log)
    }

    /// What flows and rules of the traffic look into.
    package var joins: JoinSet { loader.joins }

    /// For `/-/ready`; nil when nothing is waited for.
    package var waitingFor: String? { loader.waitingFor }

    /// The flows that read by themselves, by name.
    package func status() -> [FlowStatus] { workers.map(\.status).sorted { $0.name < $1.name } }

    /// Works until the task is cancelled. Run it once.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            let loader = loader
            group.addTask { await loader.run() }
            for worker in workers { group.addTask { await worker.run() } }
            // Flows that come by request have no worker, and one of a file may be at its end.
            group.addTask { while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) } }
        }
    }
}
