import Messaging
import Synchronization
import TimeSeries

/// A reader of the log: a thread of its own that does all the work, and the calls that hand it over.
final class KafkaConsumer: MessageConsumer {
    private let core: ConsumerCore
    private let thread: BlockingThreads
    private let closeTimeout: Milliseconds
    private let ended = Latch()

    init(_ core: ConsumerCore, closeTimeout: Milliseconds) throws {
        self.core = core
        self.closeTimeout = closeTimeout
        thread = try BlockingThreads(name: "kafka")
    }

    deinit {
        let core = core
        core.interrupt(because: "this consumer is closed")
        thread.submit { core.end() }
        thread.stop()
    }

    package func poll(maxBytes: Int, timeout: Milliseconds) async throws -> ConsumedBatch {
        try Task.checkCancellation()
        let token = PollToken()
        return try await withTaskCancellationHandler {
            try await run {
                var batch = try $0.poll(maxBytes: max(1, maxBytes), timeout: timeout, token: token)
                batch.isMember = $0.isMember
                return batch
            }
        } onCancel: {
            token.cancel()
            core.wake()
        }
    }

    package func commit(_ offsets: [TopicPartition: Offset]) async throws { try await run { try $0.commit(offsets) } }

    package func seek(_ partition: TopicPartition, to offset: Offset) async throws { try await run { try $0.seek(partition, to: offset) } }

    package func close() async { await end("this consumer is closed") }

    /// Leaves the group and frees the client; a poll under way ends. Waits for it for a while only: a group that does not answer holds
    /// nobody up, the thread goes on by itself.
    func end(_ reason: String) async {
        let core = core
        let ended = ended
        core.interrupt(because: reason)
        thread.submit {
            core.end()
            ended.signal()
        }
        thread.stop()
        await ended.wait(atMost: .milliseconds(closeTimeout))
    }

    private func run<T: Sendable>(_ body: @escaping @Sendable (ConsumerCore) throws -> T) async throws -> T {
        let core = core
        do {
            return try await thread.run {
                try core.checkOpen()
                return try body(core)
            }
        } catch let error as MessagingError where error.code == .closed {
            // The reason that was given first.
            try core.checkOpen()
            throw error
        }
    }
}

/// Says that nobody waits for a poll any more.
final class PollToken: Sendable {
    private let flag = Atomic<Bool>(false)
    var isCancelled: Bool { flag.load(ordering: .acquiring) }
    func cancel() { flag.store(true, ordering: .releasing) }
}
