import Coordination
import Logging
import Messaging
import Storage
import Synchronization
import Telemetry
import TimeSeries
import Traffic

/// The analysis of vehicles: events by vehicle, then their counts by route. Both stages run in every analyzer; partitions of each are divided among all.
package final class TrafficRole: Sendable {
    private let topics: TrafficTopics
    private let log: any MessageLog
    private let store: any ResultStore
    private let coordinator: any Coordinator
    private let clock: any WallClock
    private let registry: MetricRegistry
    private let logger: Logger
    private let status: @Sendable (_ stage: String, _ waitingFor: String?) -> Void
    private let joined: TrafficJoin?
    private let groups: (events: String, partials: String, store: String)
    private let configured: Mutex<TrafficOptions>

    /// - Parameters:
    ///   - groups: of the consumers of events and of partials, and that of the store.
    ///   - joined: numbers of joined tables and flows.
    ///   - status: told by each stage what it waits for, nil when it is ready.
    package init(
        options: TrafficOptions, topics: TrafficTopics, groups: (events: String, partials: String, store: String), log: any MessageLog,
        store: any ResultStore, coordinator: any Coordinator, clock: any WallClock, metrics: MetricRegistry, logger: Logger,
        joined: TrafficJoin? = nil, status: @escaping @Sendable (_ stage: String, _ waitingFor: String?) -> Void = { _, _ in }
    ) {
        configured = Mutex(options)
        self.topics = topics
        self.groups = groups
        self.log = log
        self.store = store
        self.coordinator = coordinator
        self.clock = clock
        registry = metrics
        self.logger = logger
        self.joined = joined
        self.status = status
    }

    /// Takes other points, rules and limits over while it runs.
    package func reload(_ options: TrafficOptions) { configured.withLock { $0 = options } }

    private var options: TrafficOptions { configured.withLock { $0 } }

    /// Runs until the task is cancelled. A log or store that is not up is waited for.
    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.runEvents() }
            group.addTask { try await self.runMerge() }
            try await group.waitForAll()
        }
    }

    private func runEvents() async throws {
        let metrics = StageMetrics(registry, stage: "traffic")
        let status = status
        let waiting = Waiting(retries: metrics.retries, logger: logger) { status("traffic", $0) }
        let topics = topics
        let mergePartitions = try await waiting.retrying("the topic \(topics.partials)") {
            try await self.log.partitionCount(topic: topics.partials)
        }
        let traffic = TrafficMetrics(registry)
        let joined = joined
        try await StageRole<TrafficStage>(
            options: stageOptions("traffic", topic: topics.events, group: groups.events), log: log, store: store, coordinator: coordinator,
            clock: clock, metrics: metrics, logger: logger, status: { status("traffic", $0) },
            configure: { $0.apply(self.options) }
        ) { partition, epoch, checkpoint in
            let options = self.options
            let state = try checkpoint.map {
                try TrafficPartition(options: options, source: partition, epoch: epoch, checkpoint: $0)
            }
            return TrafficStage(
                state: state ?? TrafficPartition(options: options, source: partition, epoch: epoch), options: options, topics: topics,
                mergePartitions: mergePartitions, metrics: traffic, joined: joined)
        }.run()
    }

    private func runMerge() async throws {
        let metrics = StageMetrics(registry, stage: "traffic-merge")
        let status = status
        let waiting = Waiting(retries: metrics.retries, logger: logger) { status("traffic-merge", $0) }
        let topics = topics
        let sources = try await waiting.retrying("the topic \(topics.events)") {
            try await self.log.partitionCount(topic: topics.events)
        }
        try await StageRole<MergeStage>(
            options: stageOptions("traffic-merge", topic: topics.partials, group: groups.partials), log: log, store: store,
            coordinator: coordinator, clock: clock, metrics: metrics, logger: logger, status: { status("traffic-merge", $0) },
            configure: { $0.apply(self.options) }
        ) { partition, epoch, checkpoint in
            let options = self.options
            let state = try checkpoint.map {
                try TrafficMerge(options: options, sources: sources, epoch: epoch, checkpoint: $0)
            }
            return MergeStage(
                state: state ?? TrafficMerge(options: options, sources: sources, epoch: epoch), options: options, topics: topics,
                samples: TrafficSamples(topic: topics.samples, partition: partition))
        }.run()
    }

    private func stageOptions(_ name: String, topic: String, group: String) -> StageOptions {
        var options = StageOptions(name: name, topic: topic, group: group)
        options.checkpointTopic = topics.checkpoints
        options.storeGroup = groups.store
        return options
    }
}
