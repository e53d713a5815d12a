import CRdKafka
import Messaging
import MessagingContract
import TestSupport
import Testing
import TimeSeries

@testable import KafkaMessaging

@Suite("Kafka faults: consuming") struct GroupFaultTests {
    private let place = TopicPartition("t", 0)

    @Test(arguments: [
        RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, RD_KAFKA_RESP_ERR__TRANSPORT,
    ])
    func aCommitSurvivesPassingErrors(_ error: rd_kafka_resp_err_t) async throws {
        let stage = try await Stage()
        try await stage.log.produce([record("t", "a"), record("t", "b")])
        let consumer = try await stage.log.consumer(topics: ["t"], group: "g")
        try await poll(consumer) { records($0).count == 2 }
        stage.cluster.push([error, error], to: .offsetCommit)
        try await consumer.commit([place: 1])
        #expect(try await stage.log.committedOffsets(topic: "t", group: "g") == [place: 1])
        await stage.log.close()
    }

    @Test(arguments: [RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID])
    func aCommitOfAFormerMemberDoesNothing(_ error: rd_kafka_resp_err_t) async throws {
        let stage = try await Stage()
        try await stage.log.produce([record("t", "a"), record("t", "b")])
        let consumer = try await stage.log.consumer(topics: ["t"], group: "g")
        try await poll(consumer) { records($0).count == 2 }
        stage.cluster.push([error], to: .offsetCommit)
        try await consumer.commit([place: 1])
        #expect(stage.metric("almanac_kafka_fenced_commits_total") == 1)
        #expect(try await stage.log.committedOffsets(topic: "t", group: "g").isEmpty)
        await stage.log.close()
    }

    @Test func aCommitForAPartitionOfAnotherDoesNothing() async throws {
        let stage = try await Stage(topics: ["t": 2])
        let first = try await stage.log.consumer(topics: ["t"], group: "g")
        let second = try await stage.log.consumer(topics: ["t"], group: "g")
        var ofFirst: Set<TopicPartition> = []
        var ofSecond: Set<TopicPartition> = []
        try await eventually("each has one partition", within: 60) {
            for (consumer, isFirst) in [(first, true), (second, false)] {
                let batch = try await consumer.poll(maxBytes: 1000, timeout: 50)
                if isFirst {
                    ofFirst = ofFirst.subtracting(batch.revoked).union(batch.assigned)
                } else {
                    ofSecond = ofSecond.subtracting(batch.revoked).union(batch.assigned)
                }
            }
            return ofFirst.count == 1 && ofSecond.count == 1
        }
        // What was told last is carried out with the next poll.
        _ = try await first.poll(maxBytes: 1000, timeout: 0)
        _ = try await second.poll(maxBytes: 1000, timeout: 0)
        try await stage.log.produce((0..<2).map { record("t", shard: $0, "x") })
        let other = try #require(ofSecond.first)
        try await first.commit([other: 1])
        #expect(try await stage.log.committedOffsets(topic: "t", group: "g").isEmpty)
        #expect(stage.metric("almanac_kafka_fenced_commits_total") == 1)
        try await second.commit([other: 1])
        #expect(try await stage.log.committedOffsets(topic: "t", group: "g") == [other: 1])
        await stage.log.close()
    }

    @Test func aMemberThatTheGroupForgotLosesAndGetsItsPartitions() async throws {
        let stage = try await Stage()
        try await stage.log.produce([record("t", "a")])
        let consumer = try await stage.log.consumer(topics: ["t"], group: "g")
        try await poll(consumer) { records($0).count == 1 }
        try await consumer.commit([place: 1])
        stage.cluster.push([RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID], to: .heartbeat)
        let batches = try await poll(consumer) { $0.contains { !$0.assigned.isEmpty } }
        let changes = batches.filter { !$0.assigned.isEmpty || !$0.revoked.isEmpty }
        #expect(changes.map { $0.revoked } == [[place], []])
        #expect(changes.map { $0.assigned } == [[], [place]])
        try await stage.log.produce([record("t", "b")])
        #expect(records(try await poll(consumer) { !records($0).isEmpty }).map { text($0.value) } == ["b"])
        await stage.log.close()
    }

    /// As a process that was stopped and goes on: no polls for longer than allowed.
    @Test func aMemberThatWasSilentLosesItsPartitionsToAnother() async throws {
        let stage = try await Stage(topics: ["t": 2]) {
            // No shorter: the mock takes three seconds to form a group.
            $0.sessionTimeout = 6000
            $0.maxPollInterval = 6000
        }
        let all = Set((0..<2).map { TopicPartition("t", $0) })
        try await stage.log.produce((0..<2).map { record("t", shard: $0, "\($0)") })
        let silent = try await stage.log.consumer(topics: ["t"], group: "g")
        try await poll(silent) { records($0).count == 2 }
        let other = try await stage.log.consumer(topics: ["t"], group: "g")
        let taken = try await poll(other) { Set($0.flatMap { $0.assigned }) == all && records($0).count == 2 }
        #expect(Set(records(taken).map { text($0.value) }) == ["0", "1"])
        try await other.commit([TopicPartition("t", 0): 1, TopicPartition("t", 1): 1])
        // It does not know yet, and may not undo what the other committed.
        try await silent.commit([TopicPartition("t", 0): 0, TopicPartition("t", 1): 0])
        #expect(try await stage.log.committedOffsets(topic: "t", group: "g").values.allSatisfy { $0 == 1 })
        let first = try await poll(silent) { Set($0.flatMap { $0.revoked }) == all }
        #expect(first.allSatisfy { $0.assigned.isEmpty && $0.records.isEmpty })
        await other.close()
        let back = try await poll(silent) { Set($0.flatMap { $0.assigned }) == all }
        #expect(records(back).isEmpty, "the other has committed all there is")
        await stage.log.close()
    }

    @Test func aNewCoordinatorIsFound() async throws {
        let stage = try await Stage(brokers: 3)
        try await stage.log.produce([record("t", "a")])
        stage.cluster.setCoordinator(ofGroup: "g", broker: 1)
        let consumer = try await stage.log.consumer(topics: ["t"], group: "g")
        try await poll(consumer) { records($0).count == 1 }
        try await consumer.commit([place: 1])
        stage.cluster.setCoordinator(ofGroup: "g", broker: 2)
        stage.cluster.push([RD_KAFKA_RESP_ERR_NOT_COORDINATOR], to: .offsetCommit)
        try await consumer.commit([place: 0])
        #expect(try await stage.log.committedOffsets(topic: "t", group: "g") == [place: 0])
        await stage.log.close()
    }

    @Test func aLeaderThatMovesIsFollowed() async throws {
        let stage = try await Stage(brokers: 3)
        stage.cluster.setLeader("t", 0, broker: 1)
        let tail = try await stage.log.tail(topics: ["t"], from: .earliest)
        try await stage.log.produce([record("t", "a")])
        try await poll(tail) { records($0).count == 1 }
        stage.cluster.setLeader("t", 0, broker: 2)
        stage.cluster.setDown(1)
        try await stage.log.produce([record("t", "b")])
        #expect(records(try await poll(tail) { !records($0).isEmpty }).map { text($0.value) } == ["b"])
        await stage.log.close()
    }

    @Test func aBrokerThatIsAwayShowsAndReadingGoesOnAfterwards() async throws {
        let stage = try await Stage { $0.requestTimeout = 1000 }
        try await stage.log.produce([record("t", "a")])
        let tail = try await stage.log.tail(topics: ["t"], from: .earliest)
        try await poll(tail) { records($0).count == 1 }
        stage.cluster.setDown()
        try await eventually("a poll says that there is no broker") {
            do {
                _ = try await tail.poll(maxBytes: 1000, timeout: 100)
                return false
            } catch let error as MessagingError where error.code == .unavailable {
                return true
            }
        }
        stage.cluster.setUp()
        try await eventually("polls are fine again") { (try? await tail.poll(maxBytes: 1000, timeout: 100)) != nil }
        try await stage.log.produce([record("t", "b")])
        var got: [String] = []
        try await eventually("reading goes on") {
            got += ((try? await tail.poll(maxBytes: 1000, timeout: 100))?.records ?? []).map { text($0.value) }
            return got == ["b"]
        }
        await stage.log.close()
    }

    @Test func whoCannotJoinIsNoMember() async throws {
        let stage = try await Stage { $0.requestTimeout = 1000 }
        // The mock takes seconds to form a group.
        let consumer = try await stage.log.consumer(topics: ["t"], group: "g")
        stage.cluster.setDown()
        for _ in 0..<5 {
            let isMember = (try? await consumer.poll(maxBytes: 1000, timeout: 100))?.isMember
            #expect(isMember != true)
        }
        stage.cluster.setUp()
        try await eventually("it joins") { (try? await consumer.poll(maxBytes: 1000, timeout: 100))?.isMember == true }
        await stage.log.close()
    }

    @Test func anOffsetThatIsNotThereLeadsToTheEarliestAndIsTold() async throws {
        let stage = try await Stage()
        try await stage.log.produce([record("t", "a"), record("t", "b")])
        let first = try await stage.log.consumer(topics: ["t"], group: "g")
        try await poll(first) { records($0).count == 2 }
        // As if the topic had been made anew.
        try await first.commit([place: 1000])
        await first.close()
        let second = try await stage.log.consumer(topics: ["t"], group: "g")
        let got = records(try await poll(second) { records($0).count == 2 })
        #expect(got.map { text($0.value) } == ["a", "b"])
        #expect(stage.metric(#"almanac_kafka_offset_resets_total{topic="t"}"#) == 1)
        await stage.log.close()
    }

    @Test func aNewOwnerCanSeekBeforeTheFirstRecord() async throws {
        let stage = try await Stage()
        try await stage.log.produce((0..<10).map { record("t", "\($0)") })
        let consumer = try await stage.log.consumer(topics: ["t"], group: "g")
        let batches = try await poll(consumer) { !$0.flatMap { $0.assigned }.isEmpty }
        #expect(records(batches).isEmpty, "an assignment comes in a batch of its own")
        try await consumer.seek(place, to: 7)
        #expect(records(try await poll(consumer) { records($0).count >= 3 }).map { text($0.value) } == ["7", "8", "9"])
        await stage.log.close()
    }

    @Test func lagIsShownForEachPartitionAndGoesWithIt() async throws {
        let stage = try await Stage()
        try await stage.log.produce((0..<1000).map { record("t", "\($0)") })
        let consumer = try await stage.log.consumer(topics: ["t"], group: "g")
        let name = #"almanac_kafka_consumer_lag_records{group="g",topic="t",partition="0"}"#
        var got = 0
        try await eventually("the lag is measured") {
            got += try await consumer.poll(maxBytes: 1, timeout: 100).records.count
            return stage.metric(name) > 0
        }
        #expect(stage.metric(name) == Double(1000 - got))
        await consumer.close()
        #expect(stage.metric(name) == 0)
        await stage.log.close()
    }
}
