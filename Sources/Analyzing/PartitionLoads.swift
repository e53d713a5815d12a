import Messaging
import Synchronization
import Telemetry

/// What a new owner of a partition starts from.
protocol LoadedOwnership: Sendable {
    var partition: Int32 { get }
    /// Which taking over this is: what an earlier one still brings is not its.
    var generation: Int { get }
    /// Where the replay begins.
    var from: Offset { get }
}

/// The loading of the partitions that come to a role, in tasks of their own.
final class PartitionLoads<Loaded: LoadedOwnership>: Sendable {
    private struct State {
        var tasks: [Int32: Task<Void, Never>] = [:]
        var last: Task<Void, Never>?
        var generation = 0
        /// Loaded and not yet taken in, with the failure of the loading that failed.
        var arrived: [Result<Loaded, any Error>] = []
    }

    private let state = Mutex(State())

    var isEmpty: Bool { state.withLock { $0.tasks.isEmpty } }

    /// Begins to load a partition and gives its generation. One is loaded after the other: each holds its state twice while it is taken in.
    func begin(_ partition: Int32, _ load: @escaping @Sendable (_ generation: Int) async throws -> Loaded) -> Int {
        state.withLock { state in
            state.generation += 1
            let task = Task { [generation = state.generation, last = state.last] in
                await last?.value
                let result: Result<Loaded, any Error>
                do { result = .success(try await load(generation)) } catch { result = .failure(error) }
                self.state.withLock { if !Task.isCancelled { $0.arrived.append(result) } }
            }
            state.tasks[partition] = task
            state.last = task
            return state.generation
        }
    }

    func drop(_ partition: Int32) {
        state.withLock { state in
            state.tasks.removeValue(forKey: partition)?.cancel()
            state.arrived.removeAll { (try? $0.get())?.partition == partition }
        }
    }

    func cancel() { state.withLock { for task in $0.tasks.values { task.cancel() } } }

    /// What has come and is still wanted, the consumer at the beginning of its replay. Throws what a loading threw.
    func takeIn(
        _ consumer: any MessageConsumer, topic: String, retries: Counter, isWanted: (Loaded) -> Bool
    ) async throws -> [Loaded] {
        let arrived = state.withLock { state in
            defer { state.arrived = [] }
            return state.arrived
        }
        var taken: [Loaded] = []
        for result in arrived {
            let loaded = try result.get()
            guard isWanted(loaded) else { continue }
            do {
                try await consumer.seek(TopicPartition(topic, loaded.partition), to: loaded.from)
            } catch let error as MessagingError where error.code == .unavailable || error.code == .usage {
                // Lost, or the broker is away: the next polls tell which. It is tried again while the partition is ours.
                retries.add()
                state.withLock { $0.arrived.append(result) }
                continue
            }
            state.withLock { $0.tasks[loaded.partition] = nil }
            taken.append(loaded)
        }
        return taken
    }
}
