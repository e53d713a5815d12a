import Coordination
import Logging
import Messaging
import Synchronization
import Telemetry
import TimeSeries

/// The role that collects: scrapes exporters and reads Prometheus servers, and writes all samples to the topic `samples`.
package final class CollectRole: Sendable {
    /// A source at work.
    private struct Running {
        var worker: any SourceWorker
        var task: Task<Void, Never>
    }

    private let context: WorkerContext
    private let options: Mutex<CollectOptions>
    private let running = Mutex<[String: Running]>([:])
    private let changes: AsyncStream<Void>
    private let change: AsyncStream<Void>.Continuation

    /// `coordinator` divides the work by URL. What `options.problems()` names is left out, and logged.
    package init(options: CollectOptions, log: any MessageLog, coordinator: any Coordinator, environment: CollectEnvironment) {
        context = WorkerContext(log: log, coordinator: coordinator, environment: environment, options: options)
        self.options = Mutex(options)
        (changes, change) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        environment.metrics.onCollect { [weak self] in self?.setGauges() }
    }

    private func setGauges() {
        let scrapes = status().filter { $0.kind == .scrape }
        context.environment.metrics.targets.set(Double(scrapes.count { $0.health != .elsewhere }))
        context.environment.metrics.targetsUp.set(Double(scrapes.count { $0.health == .up }))
        context.environment.metrics.pending.set(Double(scrapes.reduce(0) { $0 + $1.pending }))
    }

    /// Collects until the task is cancelled; then sends what has been collected, within the drain timeout. Run it once.
    package func run() async throws {
        change.yield()
        for await _ in changes {
            if Task.isCancelled { break }
            await apply(options.withLock { $0 })
        }
        let last = running.withLock { running in
            defer { running = [:] }
            return Array(running.values)
        }
        for one in last { one.task.cancel() }
        for one in last { await one.task.value }
    }

    /// Takes a new list of sources: what is new starts, what is gone ends with staleness markers, what is the same goes on undisturbed.
    package func reload(_ options: CollectOptions) {
        self.options.withLock { $0 = options }
        change.yield()
    }

    /// All sources, by job and URL.
    package func status() -> [SourceStatus] {
        running.withLock { Array($0.values) }.map(\.worker.status).sorted { ($0.job, $0.url) < ($1.job, $1.url) }
    }

    private func apply(_ options: CollectOptions) async {
        for problem in options.problems() { context.environment.logger.error("left out: \(problem)") }
        var wanted: [String: any SourceWorker] = [:]
        for target in options.targets where target.problem() == nil && wanted[target.id] == nil {
            wanted[target.id] = ScrapeWorker(target, context: context)
        }
        for source in options.prometheus where source.problem() == nil && wanted[source.id] == nil {
            wanted[source.id] = PrometheusWorker(source, context: context)
        }
        let ended = stop(unlike: wanted)
        // The old worker's last records must come before the new one's first.
        for one in ended { await one.task.value }
        running.withLock { running in
            for (id, worker) in wanted where running[id] == nil {
                running[id] = Running(worker: worker, task: Task { await worker.run() })
            }
        }
    }

    private func stop(unlike wanted: [String: any SourceWorker]) -> [Running] {
        running.withLock { running in
            var ended: [Running] = []
            for (id, one) in running {
                let next = wanted[id]
                if let next, next.isSame(as: one.worker) { continue }
                if next.map({ !$0.continuesSeries(of: one.worker) }) ?? true { one.worker.endSeries() }
                one.task.cancel()
                ended.append(one)
                running[id] = nil
            }
            return ended
        }
    }
}

/// One source at work.
protocol SourceWorker: Sendable {
    var status: SourceStatus { get }
    func run() async
    /// The series end with the task.
    func endSeries()
    func isSame(as other: any SourceWorker) -> Bool
    func continuesSeries(of other: any SourceWorker) -> Bool
}

extension ScrapeWorker: SourceWorker {
    func isSame(as other: any SourceWorker) -> Bool { (other as? ScrapeWorker)?.target == target }

    func continuesSeries(of other: any SourceWorker) -> Bool {
        (other as? ScrapeWorker).map { target.namesSeriesLike($0.target) } ?? false
    }
}
