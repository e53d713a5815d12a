import Logging
import MessagingContract
import Synchronization
import Telemetry
import TestSupport
import Testing
import TimeSeries

@testable import Messaging

@Suite("Embedded log") struct EmbeddedLogTests {
    @Test func oneProcessPerDirectory() async throws {
        let directory = try TemporaryDirectory()
        let bench = Bench(PosixDevice(), directory: directory.path + "/a/b")
        let log = try await bench.open()
        await #expect {
            _ = try await bench.open()
        } throws: { error in
            let text = "\(error)"
            return (error as? MessagingError)?.code == .unavailable && text.contains("in use by another almanac process (pid ")
                && !text.contains("unknown")
        }
        await log.close()
        let again = try await bench.open()
        await again.close()
    }

    @Test func anotherNumberOfPartitionsIsRefused() async throws {
        var bench = Bench()
        bench.options.partitions = ["t": 4]
        let log = try await bench.open()
        try await log.produce([record("t", "x")])
        await log.close()
        bench.options.partitions = ["t": 8]
        await #expect { _ = try await bench.open() } throws: { error in
            (error as? MessagingError)?.code == .usage && "\(error)".contains("4 partitions") && "\(error)".contains("migrate")
        }
        bench.options.partitions = ["t": 4]
        let again = try await bench.open()
        #expect(try await again.partitionCount(topic: "t") == 4)
        await again.close()
    }

    @Test(arguments: ["", ".", "..", "a/b", "a b", "ü", String(repeating: "x", count: 250)]) func badTopicNames(name: String) async throws {
        let log = try await Bench().open()
        await #expect { try await log.produce([record(name, "x")]) } throws: { ($0 as? MessagingError)?.code == .usage }
        await log.close()
    }

    @Test func unusableDirectory() async throws {
        let unusable = Bench(PosixDevice(), directory: "/proc/almanac")
        do {
            _ = try await unusable.open()
            Issue.record("a log was opened in /proc")
        } catch let error as MessagingError {
            #expect(error.code == .io)
            #expect(error.message.contains("/proc/almanac"))
        }
        var tiny = Bench()
        tiny.options.segmentBytes = 1
        await #expect(throws: MessagingError.self) { _ = try await tiny.open() }
    }

    @Test func aNewerFormatIsRefused() async throws {
        let device = SimulatedDevice()
        let bench = Bench(device)
        let log = try await bench.open()
        try await log.produce([record("t", "x")])
        await log.close()
        let path = try #require(device.paths("0.log").first { $0.contains("/topics/") })
        device.edit(path) { bytes in
            bytes[8] = 2
            let sum = CRC32C.checksum(Array(bytes[..<12]))
            for i in 0..<4 { bytes[12 + i] = UInt8(truncatingIfNeeded: sum >> (8 * UInt32(i))) }
        }
        await #expect { _ = try await bench.open() } throws: { "\($0)".contains("format version 2") }
    }

    @Test func seekInOldSegmentsAfterRestart() async throws {
        let bench = Bench()
        let log = try await bench.open()
        for i in 0..<200 {
            bench.clock.advance(10)
            try await log.produce([record("t", "\(i) " + String(repeating: "x", count: 100))])
        }
        let times = try await everything(log, "t").map { $0.appendTime }
        for current in [log, nil] {
            if current == nil { await log.close() }
            let open = if let current { current } else { try await bench.open() }
            let tail = try await open.tail(topics: ["t"], from: .end)
            for offset in [150, 3, 199, 77, 0] as [Int64] {
                try await tail.seek(TopicPartition("t", 0), to: offset)
                #expect(try await tail.poll(maxBytes: 1, timeout: 0).records.map { $0.offset } == [offset])
            }
            for (offset, time) in times.enumerated() where offset % 13 == 0 {
                let at = try await open.tail(topics: ["t"], from: .time(time))
                #expect(try await at.poll(maxBytes: 1, timeout: 0).records.first?.offset == Int64(offset))
                let after = try await open.tail(topics: ["t"], from: .time(time - 1))
                #expect(try await after.poll(maxBytes: 1, timeout: 0).records.first?.offset == Int64(offset))
            }
            if current == nil { await open.close() }
        }
    }

    @Test func indexedSeekInALargeSegment() async throws {
        var bench = Bench()
        bench.options.segmentBytes = 8 << 20
        let log = try await bench.open()
        for i in 0..<30 {
            bench.clock.advance(10)
            try await log.produce((0..<20).map { record("t", "\(i * 20 + $0) " + String(repeating: "x", count: 2000)) })
        }
        let tail = try await log.tail(topics: ["t"], from: .end)
        for offset in stride(from: 599, through: 0, by: -37) {
            try await tail.seek(TopicPartition("t", 0), to: Int64(offset))
            #expect(try await tail.poll(maxBytes: 1, timeout: 0).records.map { $0.offset } == [Int64(offset)])
        }
        let start = bench.clock.now() - 290
        for i in 0..<30 {
            let at = try await log.tail(topics: ["t"], from: .time(start + Int64(i) * 10 - 5))
            #expect(try await at.poll(maxBytes: 1, timeout: 0).records.first?.offset == Int64(i * 20))
        }
        await log.close()
    }

    @Test func pollIsBounded() async throws {
        var bench = Bench()
        bench.options.partitions = ["t": 3]
        let log = try await bench.open()
        try await log.produce((0..<300).map { record("t", shard: $0, "\($0) " + String(repeating: "x", count: 100)) })
        let tail = try await log.tail(topics: ["t"], from: .earliest)
        var count = 0
        var partitions: [Int32] = []
        while count < 300 {
            let batch = try await tail.poll(maxBytes: 2000, timeout: 0)
            #expect(!batch.records.isEmpty && batch.records.reduce(0) { $0 + $1.value.count } <= 2500)
            count += batch.records.count
            partitions.append(batch.records.first?.partition ?? -1)
        }
        #expect(count == 300)
        #expect(Set(partitions.prefix(6)) == [0, 1, 2], "partitions take turns")
        await log.close()
    }

    @Test func commitsAreFencedAndChecked() async throws {
        var bench = Bench()
        bench.options.handoverTimeout = 0
        let log = try await bench.open()
        let place = TopicPartition("t", 0)
        try await log.produce((0..<3).map { record("t", "\($0)") })
        let a = try await log.consumer(topics: ["t"], group: "g")
        try await poll(a) { records($0).count == 3 }
        await #expect(throws: MessagingError.self) { try await a.commit([place: 4]) }
        await #expect(throws: MessagingError.self) { try await a.commit([place: -1]) }
        await #expect(throws: MessagingError.self) { try await a.commit([TopicPartition("u", 0): 0]) }
        try await a.commit([place: 1])
        await a.close()
        await #expect(throws: MessagingError.self) { try await a.commit([place: 2]) }
        let b = try await log.consumer(topics: ["t"], group: "g")
        let c = try await log.consumer(topics: ["t"], group: "g")
        try await poll(b) { records($0).count == 2 }
        // The second member has no partition: what it commits must not move the group.
        try await c.commit([place: 3])
        #expect(try await log.committedOffsets(topic: "t", group: "g") == [place: 1])
        #expect(bench.metric("almanac_log_fenced_commits_total") == 1)
        let tail = try await log.tail(topics: ["t"], from: .end)
        await #expect(throws: MessagingError.self) { try await tail.commit([place: 1]) }
        await log.close()
    }

    @Test func aReleasedMemberLeavesItsGroup() async throws {
        let log = try await Bench().open()
        var first: (any MessageConsumer)? = try await log.consumer(topics: ["t"], group: "g")
        if let first { try await poll(first) { !$0.flatMap { $0.assigned }.isEmpty } }
        first = nil
        let second = try await log.consumer(topics: ["t"], group: "g")
        try await poll(second) { $0.flatMap { $0.assigned } == [TopicPartition("t", 0)] }
        await log.close()
    }

    @Test func metricsPage() async throws {
        let directory = try TemporaryDirectory()
        let bench = Bench(PosixDevice(), directory: directory.path)
        let log = try await bench.open()
        try await log.produce((0..<7).map { record("t", "\($0)") })
        let consumer = try await log.consumer(topics: ["t"], group: "g")
        try await poll(consumer) { records($0).count == 7 }
        try await consumer.commit([TopicPartition("t", 0): 4])
        #expect(bench.metric("almanac_log_records_total{topic=\"t\"}") == 7)
        #expect(bench.metric("almanac_log_bytes_total{topic=\"t\"}") == Double(7 * Frame.bytes(of: record("t", "0"))))
        #expect(bench.metric("almanac_log_consumer_lag_records{group=\"g\",topic=\"t\"}") == 3)
        #expect((bench.metric("almanac_log_syncs_total") ?? 0) >= 1)
        #expect(bench.metric("almanac_log_queue_bytes") == 0)
        await log.close()
    }

    /// Producers, a group that grows and shrinks, retention and a tail at once: everything is seen at least once.
    @Test func everythingAtOnce() async throws {
        var bench = Bench()
        bench.options.partitions = ["t": 4]
        bench.options.segmentBytes = 8192
        bench.options.retention = .init(bytes: 1)
        bench.options.requiredGroups = ["t": ["g"]]
        let log = try await bench.open()
        let seen = Shared(Set<String>())
        let total = 8 * 60
        try await withThrowingTaskGroup(of: Void.self) { group in
            for producer in 0..<8 {
                group.addTask {
                    for i in 0..<60 {
                        try await log.produce([record("t", shard: producer, "\(producer):\(i) " + String(repeating: "x", count: 200))])
                        if i % 20 == 0 { await log.applyRetention(now: nil) }
                    }
                }
            }
            for member in 0..<3 {
                group.addTask {
                    while seen.withLock({ $0.count < total }) {
                        let consumer = try await log.consumer(topics: ["t"], group: "g")
                        for _ in 0..<(10 + member * 7) {
                            let batch = try await consumer.poll(maxBytes: 3000, timeout: 20)
                            var next: [TopicPartition: Offset] = [:]
                            for record in batch.records { next[TopicPartition(record.topic, record.partition)] = record.offset + 1 }
                            seen.withLock { seen in for record in batch.records { seen.insert(text(record.value)) } }
                            try await consumer.commit(next)
                        }
                        await consumer.close()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(seen.withLock { $0.count } == total)
        #expect(bench.metric("almanac_log_skipped_positions_total{topic=\"t\"}") == 0)
        await log.close()
    }
}
