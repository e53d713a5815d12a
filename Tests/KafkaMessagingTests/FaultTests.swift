import CRdKafka
import Messaging
import MessagingContract
import Synchronization
import Telemetry
import TestSupport
import Testing
import TimeSeries

@testable import KafkaMessaging

/// A log on a mock cluster of its own, and its metrics.
struct Stage {
    let cluster: MockCluster
    let registry = MetricRegistry()
    let log: KafkaLog

    init(
        brokers: Int = 1, topics: [String: Int] = ["t": 1], _ change: (inout KafkaOptions) -> Void = { _ in }
    ) async throws {
        cluster = try MockCluster(brokers: brokers)
        for (topic, count) in topics { cluster.create(topic, partitions: count) }
        var options = testOptions(cluster.brokers)
        change(&options)
        log = try await KafkaLog.open(options, metrics: registry, logger: quiet())
    }

    /// The number after a name and labels on the metrics page.
    func metric(_ name: String) -> Double {
        for line in registry.render().split(separator: "\n") where line.hasPrefix(name + " ") {
            return Double(line.dropFirst(name.count + 1)) ?? -1
        }
        return 0
    }

    func values(_ topic: String = "t") async throws -> [String] { try await readToEnd(log, topic).map { text($0.value) } }
}

@Suite("Kafka faults: producing") struct ProducerFaultTests {
    @Test func aBrokerThatComesBackGetsEachRecordOnce() async throws {
        let stage = try await Stage()
        try await stage.log.produce([record("t", "before")])
        stage.cluster.setDown()
        let log = stage.log
        let waiting = Task { try await log.produce((0..<100).map { record("t", "\($0)") }) }
        try await eventually("the records are with the producer") { stage.metric("almanac_kafka_queue_bytes") > 0 }
        stage.cluster.setUp()
        try await waiting.value
        #expect(try await stage.values() == ["before"] + (0..<100).map { "\($0)" })
        #expect(stage.metric("almanac_kafka_queue_bytes") == 0)
        #expect(stage.metric(#"almanac_kafka_produced_records_total{topic="t"}"#) == 101)
        await stage.log.close()
    }

    @Test func anAbsentBrokerMakesProduceUnavailableInTime() async throws {
        let stage = try await Stage { $0.deliveryTimeout = 1000 }
        try await stage.log.produce([record("t", "before")])
        stage.cluster.setDown()
        await #expect {
            try await stage.log.produce([record("t", "lost")])
        } throws: { ($0 as? MessagingError)?.code == .unavailable }
        stage.cluster.setUp()
        try await eventually("the log takes records again") {
            do {
                try await stage.log.produce([record("t", "after")])
                return true
            } catch let error as MessagingError where error.code == .unavailable {
                return false
            }
        }
        #expect(try await stage.values().last == "after")
        await stage.log.close()
    }

    @Test(arguments: [
        [RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION], [RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS],
        [RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT], [RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE], [RD_KAFKA_RESP_ERR__TRANSPORT],
        [RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND], [RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART],
    ])
    func passingErrorsAreRetried(_ errors: [rd_kafka_resp_err_t]) async throws {
        let stage = try await Stage()
        stage.cluster.push(errors, to: .produce)
        let log = stage.log
        // Three batches that may be in flight together: their order must survive.
        for i in 0..<3 { try await log.produce((0..<10).map { record("t", "\(i * 10 + $0)") }) }
        #expect(try await stage.values() == (0..<30).map { "\($0)" })
        await stage.log.close()
    }

    @Test func aRecordThatTheBrokerFindsTooLargeIsSaidToBe() async throws {
        let stage = try await Stage()
        stage.cluster.push([RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE], to: .produce)
        await #expect {
            try await stage.log.produce([record("t", "x")])
        } throws: { ($0 as? MessagingError)?.code == .tooLarge }
        try await stage.log.produce([record("t", "y")])
        await stage.log.close()
    }

    @Test func aProducerThatFailedForGoodIsReplaced() async throws {
        let stage = try await Stage()
        try await stage.log.produce([record("t", "a")])
        for round in 1...3 {
            stage.cluster.setDown()
            let log = stage.log
            let caught = Task { try await log.produce([record("t", "caught \(round)")]) }
            try await eventually("the record is with the producer") { stage.metric("almanac_kafka_queue_bytes") > 0 }
            stage.log.failProducer()
            let result = await caught.result
            #expect(throws: MessagingError.self) { try result.get() }
            stage.cluster.setUp()
            try await stage.log.produce([record("t", "after \(round)")])
            #expect(stage.metric("almanac_kafka_producer_restarts_total") == Double(round))
        }
        #expect(try await stage.values() == ["a", "after 1", "after 2", "after 3"])
        await stage.log.close()
    }

    /// What a broker says that has lost a producer's state: after a restart with an older log, or after a long absence.
    @Test(arguments: [
        RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
        RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER,
    ])
    func aForgottenProducerRecovers(_ error: rd_kafka_resp_err_t) async throws {
        let stage = try await Stage()
        try await stage.log.produce([record("t", "a")])
        stage.cluster.push([error], to: .produce)
        do {
            try await stage.log.produce([record("t", "b")])
        } catch let error as MessagingError {
            #expect(error.code == .unavailable)
        }
        try await stage.log.produce([record("t", "c")])
        let values = try await stage.values()
        #expect(values.first == "a" && values.last == "c" && values.count <= 3)
        await stage.log.close()
    }

    @Test func aProducerIDThatIsLateIsWaitedFor() async throws {
        let stage = try await Stage()
        stage.cluster.push(
            [RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR__TRANSPORT],
            to: .initProducerID)
        try await stage.log.produce([record("t", "a")])
        #expect(try await stage.values() == ["a"])
        await stage.log.close()
    }

    @Test func aFullQueueHoldsProducersBack() async throws {
        let stage = try await Stage { $0.queueBytes = 100_000 }
        try await stage.log.produce([record("t", "first")])
        stage.cluster.setDown()
        let log = stage.log
        let large = String(repeating: "x", count: 90_000)
        let first = Task { try await log.produce([record("t", large)]) }
        try await eventually("the queue is full") { stage.metric("almanac_kafka_queue_bytes") >= 90_000 }
        let second = Task { try await log.produce([record("t", large)]) }
        try await eventually("one waits") { log.waitingProducers == 1 }
        // It would fit, but others wait already.
        let third = Task { try await log.produce([record("t", "small")]) }
        try await eventually("two wait") { log.waitingProducers == 2 }
        #expect(stage.metric("almanac_kafka_queue_bytes") <= 100_000)
        second.cancel()
        let result = await second.result
        #expect(throws: CancellationError.self) { try result.get() }
        stage.cluster.setUp()
        try await first.value
        try await third.value
        #expect(try await stage.values().map { $0.count } == [5, 90_000, 5])
        await stage.log.close()
    }

    @Test func aCancelledProduceWaitsALittleAndEnds() async throws {
        let stage = try await Stage { $0.cancellationGrace = 200 }
        try await stage.log.produce([record("t", "first")])
        let log = stage.log
        // While the broker answers, what a cancelled task has to say is not lost.
        try await Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await log.produce([record("t", "last words")])
        }.value
        stage.cluster.setDown()
        let stuck = Task { try await log.produce([record("t", "never")]) }
        try await eventually("the record is with the producer") { stage.metric("almanac_kafka_queue_bytes") > 0 }
        stuck.cancel()
        let start = ContinuousClock.now
        let result = await stuck.result
        #expect(throws: CancellationError.self) { try result.get() }
        #expect(ContinuousClock.now - start < .seconds(5))
        await stage.log.close()
    }

    @Test func closingWithoutABrokerEnds() async throws {
        let stage = try await Stage { $0.closeTimeout = 500 }
        try await stage.log.produce([record("t", "first")])
        let consumer = try await stage.log.consumer(topics: ["t"], group: "g")
        _ = try await poll(consumer) { !records($0).isEmpty }
        stage.cluster.setDown()
        let log = stage.log
        let stuck = Task { try await log.produce([record("t", "never")]) }
        try await eventually("the record is with the producer") { stage.metric("almanac_kafka_queue_bytes") > 0 }
        let start = ContinuousClock.now
        await stage.log.close()
        let result = await stuck.result
        #expect(throws: MessagingError.self) { try result.get() }
        #expect(ContinuousClock.now - start < .seconds(20))
    }

    /// What was acknowledged is there, in order and once, whatever the broker does; what was refused may be there.
    @Test(arguments: [UInt64(1), 2, 3])
    func acknowledgedRecordsSurviveAFlappingBroker(_ seed: UInt64) async throws {
        let stage = try await Stage(topics: ["t": 4]) { $0.deliveryTimeout = 20_000 }
        let log = stage.log
        let isDone = Mutex(false)
        let cluster = stage.cluster
        let flapping = Task {
            var random = SplitMix64(seed: seed)
            while !isDone.withLock({ $0 }) {
                cluster.setDown()
                try? await Task.sleep(for: .milliseconds(Int.random(in: 1...60, using: &random)))
                cluster.setUp()
                try? await Task.sleep(for: .milliseconds(Int.random(in: 50...300, using: &random)))
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for shard in 0..<8 {
                group.addTask {
                    for i in 0..<25 {
                        try await log.produce([record("t", shard: shard, "\(2 * i)"), record("t", shard: shard, "\(2 * i + 1)")])
                    }
                }
            }
            try await group.waitForAll()
        }
        isDone.withLock { $0 = true }
        await flapping.value
        let all = try await readToEnd(stage.log, "t")
        for shard in 0..<8 {
            let mine = all.filter { $0.key == .shard(Shard(UInt16(shard))) }.map { text($0.value) }
            #expect(mine == (0..<50).map { "\($0)" }, "seed \(seed), shard \(shard)")
        }
        await stage.log.close()
    }
}

@Suite("Kafka faults: waiting for a cluster") struct AbsenceTests {
    private func options(_ port: Int) -> KafkaOptions {
        var options = testOptions(["127.0.0.1:\(port)"])
        options.requestTimeout = 500
        options.closeTimeout = 500
        return options
    }

    @Test func aLogOpensWithoutABrokerAndSaysWhatItLacks() async throws {
        let log = try await KafkaLog.open(options(freePort()), metrics: MetricRegistry(), logger: quiet())
        func isUnavailable(_ error: any Error) -> Bool { (error as? MessagingError)?.code == .unavailable }
        await #expect { _ = try await log.partitionCount(topic: "t") } throws: { isUnavailable($0) }
        await #expect { try await log.produce([record("t", "x")]) } throws: { isUnavailable($0) }
        await #expect { _ = try await log.consumer(topics: ["t"], group: "g") } throws: { isUnavailable($0) }
        await #expect { _ = try await log.tail(topics: ["t"], from: .end) } throws: { isUnavailable($0) }
        await log.close()
    }

    @Test func aMissingTopicIsNamedWithTheRemedy() async throws {
        let stage = try await Stage(topics: ["missing": 2])
        stage.cluster.setError("missing", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        for body in [
            { @Sendable in _ = try await stage.log.partitionCount(topic: "missing") },
            { @Sendable in try await stage.log.produce([record("missing", "x")]) },
            { @Sendable in _ = try await stage.log.consumer(topics: ["missing"], group: "g") },
        ] {
            await #expect { try await body() } throws: { error in
                guard let error = error as? MessagingError else { return false }
                return error.code == .unavailable && error.message.contains("missing") && error.message.contains("almanac init")
            }
        }
        // It comes later: nothing needs a restart.
        stage.cluster.setError("missing", RD_KAFKA_RESP_ERR_NO_ERROR)
        #expect(try await stage.log.partitionCount(topic: "missing") == 2)
        try await stage.log.produce([record("missing", "x")])
        await stage.log.close()
    }

    @Test func aBrokerThatRefusesTheAuthenticationIsSaidToDoSo() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 1)
        var options = testOptions(cluster.brokers)
        options.requestTimeout = 1500
        options.properties = [
            "security.protocol": "sasl_plaintext", "sasl.mechanisms": "PLAIN", "sasl.username": "u", "sasl.password": "hush-hush",
        ]
        let log = try await KafkaLog.open(options, metrics: MetricRegistry(), logger: quiet())
        await #expect {
            _ = try await log.partitionCount(topic: "t")
        } throws: { error in
            guard let error = error as? MessagingError else { return false }
            return error.code == .unavailable && error.message.contains("uthentication") && !error.message.contains("hush")
        }
        await log.close()
    }
}
