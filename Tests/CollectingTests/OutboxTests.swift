import Logging
import Messaging
import Telemetry
import TestSupport
import Testing
import TimeSeries

@testable import Collecting

private func batch(_ number: Int, bytes: Int = 8) -> ScrapeRecords {
    var records = ScrapeRecords()
    records.append(
        ProducerRecord(topic: "samples", key: .shard(Shard(0)), value: [UInt8(number)] + [UInt8](repeating: 0, count: bytes - 1)),
        samples: 10)
    return records
}

@Suite struct OutboxTests {
    private let registry = MetricRegistry()
    private let log = MemoryLog()
    private let time = ManualTime(0)

    private var environment: CollectEnvironment {
        CollectEnvironment(clock: time, logger: Logger(label: "test"), registry: registry, sleep: time.sleep)
    }

    private func outbox(maxPending: Int = 3, maxBytes: Int = 1 << 20) -> Outbox {
        Outbox(name: "t", log: log, environment: environment, maxPending: maxPending, maxBytes: maxBytes)
    }

    private var sent: [UInt8] { log.records.map { $0.value[0] } }

    private func dropped(_ reason: String) -> UInt64 {
        registry.counter("almanac_collect_dropped_samples_total", help: "", labels: [("reason", reason)]).value
    }

    @Test func scrapesGoOutInOrder() async throws {
        let outbox = outbox(maxPending: 100)
        let task = Task { await outbox.run() }
        for i in 0..<50 { outbox.add(batch(i)) }
        outbox.close()
        await task.value
        #expect(sent == (0..<50).map(UInt8.init))
        #expect(registry.counter("almanac_collect_samples_total", help: "").value == 500)
    }

    @Test func aRefusingLogIsTriedAgainUntilItTakes() async throws {
        log.set(.fails(MessagingError(.storageFull, "disk full")))
        let outbox = outbox()
        let task = Task { await outbox.run() }
        outbox.add(batch(1))
        try await eventually("the sender waits") { time.deadlines == [100] }
        time.advance(100)
        try await eventually("it waits longer") { time.deadlines == [300] }
        log.set(.takes)
        time.advance(200)
        try await eventually("it is sent") { sent == [1] }
        outbox.close()
        await task.value
        #expect(dropped("pending_limit") == 0)
    }

    @Test func beyondTheLimitTheOldestThatIsNotUnderWayIsDroppedWhole() async throws {
        log.set(.hangs)
        let outbox = outbox(maxPending: 3)
        let task = Task { await outbox.run() }
        outbox.add(batch(0))
        try await eventually("the first is under way") { log.attempts == 1 }
        for i in 1..<7 { outbox.add(batch(i)) }
        #expect(outbox.pendingCount == 3)
        #expect(dropped("pending_limit") == 40)
        log.set(.takes)
        outbox.close()
        await task.value
        #expect(sent == [0, 5, 6])
    }

    @Test func bytesAreBoundedButTheNewestAlwaysWaits() async throws {
        log.set(.hangs)
        let outbox = outbox(maxPending: 100, maxBytes: 250)
        let task = Task { await outbox.run() }
        outbox.add(batch(0, bytes: 100))
        try await eventually("the first is under way") { log.attempts == 1 }
        outbox.add(batch(1, bytes: 100))
        outbox.add(batch(2, bytes: 1_000))
        #expect(dropped("pending_limit") == 10)
        log.set(.takes)
        outbox.close()
        await task.value
        #expect(sent == [0, 2])
    }

    @Test func whatTheLogRefusesForGoodDoesNotStopTheRest() async throws {
        log.set(.fails(MessagingError(.tooLarge, "too large")))
        let outbox = outbox()
        let task = Task { await outbox.run() }
        outbox.add(batch(1))
        try await eventually("it is given up") { dropped("refused") == 10 }
        log.set(.takes)
        outbox.add(batch(2))
        outbox.close()
        await task.value
        #expect(sent == [2])
    }

    @Test func givingUpAtTheEndIsCounted() async throws {
        log.set(.fails(MessagingError(.unavailable, "away")))
        let outbox = outbox()
        let task = Task { await outbox.run() }
        outbox.add(batch(1))
        try await eventually("the sender waits") { !time.deadlines.isEmpty }
        outbox.close()
        task.cancel()
        await task.value
        #expect(dropped("shutdown") == 10)
    }
}
