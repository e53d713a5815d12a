import Logging
import Messaging
import Records
import Storage
import Synchronization
import Telemetry
import TimeSeries

/// Moves results and chunks from their topics into a store: poll, decode, write in one transaction, then commit the offsets. Delivery
/// is at least once and writes are idempotent, so a crash anywhere ends in the same content.
package final class StoreRole: Sendable {
    private let log: any MessageLog
    private let store: any ResultStore
    private let clock: any WallClock
    private let options: StoreRoleOptions
    private let metrics: StoreMetrics
    private let logger: Logger
    private let status: @Sendable (String?) -> Void
    private let isStopping = Atomic<Bool>(false)
    /// Store and topics have answered once.
    private let hasOpened = Atomic<Bool>(false)

    /// - Parameters:
    ///   - clock: decides when and up to where retention removes.
    ///   - status: told what the role waits for, nil when it is ready; from any task, also several times alike.
    package init(
        log: any MessageLog, store: any ResultStore, clock: any WallClock, metrics: MetricRegistry, logger: Logger,
        options: StoreRoleOptions = StoreRoleOptions(), status: @escaping @Sendable (String?) -> Void = { _ in }
    ) {
        self.log = log
        self.store = store
        self.clock = clock
        self.options = options
        self.metrics = StoreMetrics(metrics, topics: options.topics)
        self.logger = logger
        self.status = status
    }

    /// Runs until the task is cancelled; the batch in hand is then written and committed first, unless the store or the log is away.
    /// Waits for both while they are unavailable. Throws what no waiting mends: a store that is corrupt or too new, a log that
    /// was closed. Call once.
    package func run() async throws {
        status("starting")
        // What has begun is finished: it runs in a task that the cancellation of this one does not reach.
        let work = Task { try await self.consume() }
        let housekeeping = Task { await self.keepHouse() }
        let result = await withTaskCancellationHandler {
            await work.result
        } onCancel: {
            isStopping.store(true, ordering: .sequentiallyConsistent)
            housekeeping.cancel()
        }
        housekeeping.cancel()
        await housekeeping.value
        do { try result.get() } catch {
            status("stopped: \(error)")
            throw error
        }
    }

    private var stops: Bool { isStopping.load(ordering: .sequentiallyConsistent) }

    // MARK: Consuming

    private func consume() async throws {
        // A member that cannot reach its store would keep its part from others, and say that it is ready until something comes.
        guard try await attempted("the store", { _ = try await self.store.series(Fingerprint(high: 0, low: 0)) }) != nil,
            let consumer = try await attempted("opening the topics", { try await self.openConsumer() })
        else { return }
        hasOpened.store(true, ordering: .sequentiallyConsistent)
        status(nil)
        do {
            while !stops {
                let polled = try await attempted("reading the topics") {
                    try await consumer.poll(maxBytes: self.options.maximumPollBytes, timeout: self.options.pollTimeout)
                }
                guard let polled else { break }
                if polled.records.isEmpty { continue }
                guard try await take(polled.records, consumer) else { break }
            }
        } catch {
            await consumer.close()
            throw error
        }
        await consumer.close()
    }

    private func openConsumer() async throws -> any MessageConsumer {
        try await log.consumer(topics: options.topics, group: options.group)
    }

    /// False if the role was stopped while the store or the log was away: nothing is committed then, and all of it comes again.
    private func take(_ records: [ConsumerRecord], _ consumer: any MessageConsumer) async throws -> Bool {
        let intake = Intake(records, options)
        var deadLetters = intake.deadLetters
        if !intake.batch.isEmpty {
            do {
                guard try await write(intake.batch) else { return false }
            } catch let error as StorageError where error.code == .usage {
                // The store refuses something in the batch: find out what, and let the rest through.
                guard let refused = try await writeSingly(records) else { return false }
                deadLetters += refused
            }
        }
        guard try await bury(deadLetters) else { return false }
        return try await attempted("committing offsets") { try await consumer.commit(intake.offsets) } != nil
    }

    private func write(_ batch: StoreBatch) async throws -> Bool {
        let start = ContinuousClock.now
        guard try await attempted("the store", { try await self.store.write(batch) }) != nil else { return false }
        let elapsed = ContinuousClock.now - start
        metrics.writeSeconds.observe(Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18)
        metrics.wrote(batch)
        return true
    }

    /// The dead letters of those records that the store refuses on their own; nil if stopped.
    private func writeSingly(_ records: [ConsumerRecord]) async throws -> [ProducerRecord]? {
        var refused: [ProducerRecord] = []
        for record in records {
            let intake = Intake([record], options)
            if intake.batch.isEmpty { continue }
            do {
                guard try await write(intake.batch) else { return nil }
            } catch let error as StorageError where error.code == .usage {
                refused.append(Intake.deadLetter(record, reason: error.message))
            }
        }
        return refused
    }

    private func bury(_ letters: [ProducerRecord]) async throws -> Bool {
        for letter in letters {
            let reason = letter.headers.last.map { String(decoding: $0.value, as: UTF8.self) } ?? ""
            logger.warning("a record cannot be stored and goes to \(letter.topic): \(reason)")
            do {
                guard try await attempted("writing dead letters", { try await self.log.produce([letter]) }) != nil else { return false }
            } catch let error as MessagingError where error.code == .tooLarge {
                // With its reason a record may be larger than the log takes: the reason is kept.
                var rest = letter
                rest.value = []
                let marked = rest
                guard try await attempted("writing dead letters", { try await self.log.produce([marked]) }) != nil else { return false }
            }
            metrics.deadLetters(letter.topic)?.add()
        }
        return true
    }

    // MARK: Waiting

    /// Repeats `body` with growing waits while what it needs is unavailable; nil if the role was stopped meanwhile.
    private func attempted<T: Sendable>(_ what: String, _ body: @Sendable () async throws -> T) async throws -> T? {
        var backoff = Backoff(first: options.firstBackoff, longest: options.longestBackoff)
        var random = SystemRandomNumberGenerator()
        var hasWaited = false
        while true {
            do {
                let value = try await body()
                if hasWaited {
                    logger.info("\(what): available again")
                    status(hasOpened.load(ordering: .sequentiallyConsistent) ? nil : "starting")
                }
                return value
            } catch let error where StoreRole.mayMend(error) {
                if !hasWaited { logger.warning("\(what): \(error); waiting for it") }
                hasWaited = true
                status("\(what): \(error)")
                metrics.retries.add()
            }
            guard await waited(backoff.next(using: &random)) else { return nil }
        }
    }

    /// Sleeps in small steps, so that a stop is seen at once; false if stopped.
    private func waited(_ duration: Milliseconds) async -> Bool {
        let end = ContinuousClock.now + .milliseconds(duration)
        while !stops, ContinuousClock.now < end {
            try? await Task.sleep(for: min(.milliseconds(50), end - ContinuousClock.now))
        }
        return !stops
    }

    private static func mayMend(_ error: any Error) -> Bool {
        switch error {
        case let error as StorageError: error.code == .unavailable
        case let error as MessagingError: error.code == .unavailable || error.code == .io || error.code == .storageFull
        default: false
        }
    }

    // MARK: Housekeeping

    /// Measures the lag and applies retention until cancelled. What fails is told and tried again next time.
    private func keepHouse() async {
        var lastRetention = clock.now()
        while !Task.isCancelled {
            await measureLag()
            let now = clock.now()
            // A clock that was set back starts the interval anew.
            if now < lastRetention { lastRetention = now }
            if now - lastRetention >= options.retentionInterval {
                lastRetention = now
                await retire(now)
            }
            try? await Task.sleep(for: .milliseconds(options.housekeepingInterval))
        }
    }

    private func retire(_ now: Milliseconds) async {
        do {
            let removed = try await store.applyRetention(options.retention, now: now)
            metrics.retired.add(removed)
            if removed > 0 { logger.info("retention removed \(removed) rows") }
        } catch is CancellationError {
            return
        } catch {
            logger.warning("retention: \(error)")
        }
    }

    private func measureLag() async {
        for topic in options.topics {
            guard let ends = try? await log.endOffsets(topic: topic),
                let committed = try? await log.committedOffsets(topic: topic, group: options.group)
            else { continue }
            let lag = ends.reduce(0) { $0 + max(0, $1.value - (committed[$1.key] ?? 0)) }
            metrics.lag(topic)?.set(Double(lag))
        }
    }
}
