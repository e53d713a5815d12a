import MessagingContract
import TestSupport
import Testing
import TimeSeries

@testable import Messaging

@Suite("Retention plan") struct RetentionPlanTests {
    private func partition(_ times: [Milliseconds?], bytes: Int64 = 100, pin: Offset? = nil) -> RetentionPlan.Partition {
        let segments = times.enumerated().map { Segment(base: Int64($0.offset * 10), bytes: bytes, lastTime: $0.element, index: nil) }
        return RetentionPlan.Partition(segments: segments, nextOffset: Int64(times.count * 10), pin: pin)
    }

    @Test func age() {
        let plan = RetentionPlan([partition([1, 2, 3, 4])], limits: .init(age: 10), now: 13)
        #expect(plan.drops == [2])
        #expect(RetentionPlan([partition([1, 2, 3, 4])], limits: .init(age: 10), now: 1000).drops == [3], "the active one stays")
        #expect(RetentionPlan([partition([1, nil, 3, 4])], limits: .init(age: 10), now: 1000).drops == [1], "an unknown age is no age")
    }

    @Test func size() {
        #expect(RetentionPlan([partition([1, 2, 3, 4])], limits: .init(bytes: 400), now: 0).drops == [0])
        #expect(RetentionPlan([partition([1, 2, 3, 4])], limits: .init(bytes: 399), now: 0).drops == [1])
        #expect(RetentionPlan([partition([1, 2, 3, 4])], limits: .init(bytes: 0), now: 0).drops == [3])
        #expect(RetentionPlan([partition([1, 2, 3, 4])], limits: .init(), now: 0).drops == [0])
    }

    @Test func theOldestOfAllPartitionsGoesFirst() {
        let partitions = [partition([5, 6, 7]), partition([1, 2, 9])]
        #expect(RetentionPlan(partitions, limits: .init(bytes: 400), now: 0).drops == [0, 2])
        #expect(RetentionPlan(partitions, limits: .init(bytes: 300), now: 0).drops == [1, 2])
    }

    @Test func pins() {
        for (pin, drops) in [(0, 0), (9, 0), (10, 1), (25, 2), (40, 3)] as [(Offset, Int)] {
            let plan = RetentionPlan([partition([1, 2, 3, 4], pin: pin)], limits: .init(bytes: 100, age: 1), now: 1000)
            #expect(plan.drops == [drops], "pin \(pin)")
            #expect(plan.blockedBytes == Int64(3 - drops) * 100, "pin \(pin)")
        }
    }
}

@Suite("Retention") struct RetentionTests {
    private func fill(_ log: EmbeddedLog, _ range: Range<Int>) async throws {
        for i in range { try await log.produce([record("t", "\(i) " + String(repeating: "x", count: 500))]) }
    }

    private func numbers(_ records: [ConsumerRecord]) -> [Int] { records.compactMap { Int(text($0.value).split(separator: " ")[0]) } }

    @Test func bySize() async throws {
        let device = SimulatedDevice()
        var bench = Bench(device)
        bench.options.topicRetention["t"] = .init(bytes: 10_000)
        let log = try await bench.open()
        let tail = try await log.tail(topics: ["t"], from: .earliest)
        try await fill(log, 0..<10)
        #expect(numbers(try await tail.poll(maxBytes: 1000, timeout: 0).records).first == 0)
        try await fill(log, 10..<100)
        await log.applyRetention(now: nil)
        let left = try await everything(log, "t")
        #expect(numbers(left).last == 99 && numbers(left).count < 20 && numbers(left).count > 5)
        #expect((bench.metric("almanac_log_size_bytes{topic=\"t\"}") ?? 0) <= 10_000)
        // The reader's place has gone: it goes on at the earliest, and that is counted.
        let rest = numbers(try await tail.poll(maxBytes: 1 << 20, timeout: 0).records)
        #expect(rest == numbers(left))
        #expect(bench.metric("almanac_log_skipped_positions_total{topic=\"t\"}") == 1)
        await log.close()
        let again = try await bench.open()
        #expect(try await everything(again, "t").map { $0.offset } == left.map { $0.offset })
        await again.close()
    }

    @Test func byAge() async throws {
        var bench = Bench()
        bench.options.retention = .init(age: 60_000)
        let log = try await bench.open()
        try await fill(log, 0..<20)
        bench.clock.advance(50_000)
        try await fill(log, 20..<40)
        bench.clock.advance(20_000)
        await log.applyRetention(now: nil)
        let left = numbers(try await everything(log, "t"))
        #expect((left.first ?? 0) > 10 && (left.first ?? 0) <= 20)
        await log.applyRetention(now: bench.clock.now() + 1_000_000)
        #expect(try await everything(log, "t").count < 8, "only the active segment is left")
        await log.close()
        // Ages are known again after a restart.
        let again = try await bench.open()
        try await fill(again, 40..<60)
        bench.clock.advance(1_000_000)
        await again.applyRetention(now: nil)
        #expect(try await everything(again, "t").count < 8)
        await again.close()
    }

    @Test func neverPastARequiredGroup() async throws {
        var bench = Bench()
        bench.options.retention = .init(bytes: 1)
        bench.options.requiredGroups = ["t": ["store", "analyze"]]
        let log = try await bench.open()
        try await fill(log, 0..<50)
        await log.applyRetention(now: nil)
        #expect(try await everything(log, "t").count == 50, "groups that have committed nothing hold everything")
        #expect((bench.metric("almanac_log_retention_blocked_bytes{topic=\"t\"}") ?? 0) > 20_000)
        for (group, offset) in [("store", 40), ("analyze", 25)] as [(String, Offset)] {
            let consumer = try await log.consumer(topics: ["t"], group: group)
            try await poll(consumer) { !records($0).isEmpty }
            try await consumer.commit([TopicPartition("t", 0): offset])
            await consumer.close()
        }
        await log.applyRetention(now: nil)
        let first = try #require(try await everything(log, "t").first).offset
        #expect(first > 15 && first <= 25)
        let consumer = try await log.consumer(topics: ["t"], group: "analyze")
        let next = records(try await poll(consumer) { !records($0).isEmpty })
        #expect(next.first?.offset == 25)
        #expect(bench.metric("almanac_log_skipped_positions_total{topic=\"t\"}") == 0)
        await log.close()
    }
}
