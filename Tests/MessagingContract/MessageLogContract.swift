import Messaging
import Synchronization
import Testing
import TimeSeries

/// A place where one log lives; `open` can be called again after `close` of the log before and finds what was there.
package protocol LogHarness: Sendable {
    /// `topics`: number of partitions of each.
    func open(topics: [String: Int]) async throws -> any MessageLog
}

/// What every implementation of `MessageLog` has to do. Nothing here knows which one it is.
package enum MessageLogContract {
    package struct Case: Sendable, CustomTestStringConvertible {
        package var name: String
        package var run: @Sendable (any LogHarness) async throws -> Void
        package var testDescription: String { name }
    }

    /// Not every stand-in for a log can look up times.
    package static let tailFromTimeName = "tail from a time"

    package static let cases: [Case] = [
        Case(name: "order per key", run: orderPerKey),
        Case(name: "what was acknowledged is there after reopening", run: durableBeforeReturn),
        Case(name: "keys, headers and values come back as they went in", run: contentIsKept),
        Case(name: "a record goes to shard mod partitions", run: partitionMapping),
        Case(name: "a group commits and resumes", run: commitAndResume),
        Case(name: "a lower offset can be committed", run: commitLower),
        Case(name: "a new group begins at the earliest", run: newGroupBeginsAtEarliest),
        Case(name: "members share the partitions and take over", run: groupsShareAndTakeOver),
        Case(name: "a member for whom no partition is left is one all the same", run: standsBy),
        Case(name: "groups do not disturb each other", run: groupsAreIndependent),
        Case(name: "seek", run: seek),
        Case(name: "tail from the earliest and the end", run: tails),
        Case(name: tailFromTimeName, run: tailFromTime),
        Case(name: "end offsets", run: endOffsets),
        Case(name: "a waiting poll wakes when records come", run: pollWakes),
        Case(name: "a poll returns nothing after its timeout", run: pollTimesOut),
        Case(name: "a cancelled poll ends at once", run: cancelledPoll),
        Case(name: "concurrent producers", run: concurrentProducers),
        Case(name: "big records", run: bigRecords),
        Case(name: "many topics in one call", run: manyTopics),
        Case(name: "an empty call", run: emptyCall),
        Case(name: "close ends waiting consumers", run: closeEndsConsumers),
        Case(name: "a closed log refuses calls", run: closedLogRefuses),
    ]

    static func orderPerKey(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 4])
        for round in 0..<10 {
            try await log.produce((0..<16).flatMap { shard in (0..<3).map { record("t", shard: shard, "\(round * 3 + $0)") } })
        }
        let all = try await readToEnd(log, "t", maxBytes: 1000)
        #expect(all.count == 480)
        for shard in 0..<16 {
            let values = all.filter { $0.key == .shard(Shard(UInt16(shard))) }.map { text($0.value) }
            #expect(values == (0..<30).map { "\($0)" }, "shard \(shard)")
        }
        for partition in 0..<4 {
            let offsets = all.filter { $0.partition == Int32(partition) }.map { $0.offset }
            #expect(zip(offsets, offsets.dropFirst()).allSatisfy { $0 < $1 }, "partition \(partition)")
        }
        await log.close()
    }

    static func durableBeforeReturn(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 2])
        for i in 0..<20 { try await log.produce([record("t", shard: i, "v\(i)")]) }
        await log.close()
        let again = try await harness.open(topics: ["t": 2])
        let values = try await readToEnd(again, "t").map { text($0.value) }
        #expect(Set(values) == Set((0..<20).map { "v\($0)" }))
        #expect(values.count == 20)
        try await again.produce([record("t", "more")])
        #expect(try await readToEnd(again, "t").count == 21)
        await again.close()
    }

    static func contentIsKept(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 1])
        let sent = [
            ProducerRecord(topic: "t", key: .shard(Shard(1023)), value: []),
            ProducerRecord(
                topic: "t", key: .text("Route-37 é"), value: [0, 255, 1],
                headers: [RecordHeader("reason", [1, 2, 0]), RecordHeader("", [])]),
            ProducerRecord(topic: "t", key: .text(""), value: Array(repeating: 7, count: 3000)),
        ]
        try await log.produce(sent)
        let got = try await readToEnd(log, "t")
        #expect(got.map { $0.key } == sent.map { $0.key })
        #expect(got.map { $0.value } == sent.map { $0.value })
        #expect(got.map { $0.headers } == sent.map { $0.headers })
        #expect(got.allSatisfy { $0.topic == "t" && $0.partition == 0 && $0.appendTime > 0 })
        await log.close()
    }

    static func partitionMapping(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 3])
        #expect(try await log.partitionCount(topic: "t") == 3)
        try await log.produce((0..<1024).map { record("t", shard: $0, "\($0)") })
        try await log.produce(["a", "b", "Route-37"].map { ProducerRecord(topic: "t", key: .text($0), value: []) })
        for got in try await readToEnd(log, "t") {
            switch got.key {
            case .shard(let shard): #expect(got.partition == Int32(Int(shard.index) % 3))
            case .text: #expect(got.partition == got.key.partition(of: 3))
            }
        }
        await log.close()
    }

    static func commitAndResume(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 1])
        try await log.produce((0..<10).map { record("t", "\($0)") })
        #expect(try await log.committedOffsets(topic: "t", group: "g").isEmpty)
        let first = try await log.consumer(topics: ["t"], group: "g")
        let got = records(try await poll(first) { records($0).count >= 10 })
        let place = TopicPartition("t", 0)
        try await first.commit([place: got[4].offset])
        try await first.commit([place: got[4].offset])
        #expect(try await log.committedOffsets(topic: "t", group: "g") == [place: got[4].offset])
        await first.close()
        await log.close()
        let again = try await harness.open(topics: ["t": 1])
        #expect(try await again.committedOffsets(topic: "t", group: "g") == [place: got[4].offset])
        let second = try await again.consumer(topics: ["t"], group: "g")
        let rest = records(try await poll(second) { records($0).count >= 6 })
        #expect(rest.map { text($0.value) } == (4..<10).map { "\($0)" })
        await again.close()
    }

    static func commitLower(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 1])
        try await log.produce((0..<4).map { record("t", "\($0)") })
        let place = TopicPartition("t", 0)
        let consumer = try await log.consumer(topics: ["t"], group: "g")
        let got = records(try await poll(consumer) { records($0).count >= 4 })
        try await consumer.commit([place: got[3].offset + 1])
        try await consumer.commit([place: got[1].offset])
        #expect(try await log.committedOffsets(topic: "t", group: "g") == [place: got[1].offset])
        await log.close()
    }

    static func newGroupBeginsAtEarliest(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 2])
        try await log.produce([record("t", shard: 0, "a"), record("t", shard: 1, "b")])
        let consumer = try await log.consumer(topics: ["t"], group: "new")
        let batches = try await poll(consumer) { records($0).count >= 2 }
        #expect(Set(batches.flatMap { $0.assigned }) == [TopicPartition("t", 0), TopicPartition("t", 1)])
        let first = batches.first { !$0.assigned.isEmpty || !$0.records.isEmpty }
        #expect(first?.assigned.count == 2, "the first batch with anything brings all partitions to the only member")
        #expect(Set(records(batches).map { text($0.value) }) == ["a", "b"])
        await log.close()
    }

    /// What a member holds, from what its batches said.
    private static func held(_ batches: [ConsumedBatch]) -> Set<TopicPartition> {
        batches.reduce(into: []) { held, batch in
            held.subtract(batch.revoked)
            held.formUnion(batch.assigned)
        }
    }

    static func groupsShareAndTakeOver(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 4])
        let all = Set((0..<4).map { TopicPartition("t", $0) })
        let a = try await log.consumer(topics: ["t"], group: "g")
        var ofA = try await poll(a) { held($0) == all }
        let b = try await log.consumer(topics: ["t"], group: "g")
        var ofB: [ConsumedBatch] = []
        // Two rebalances, and one more for each in which a member comes late: librdkafka's mock lets one of two members in again whenever
        // the leader has handed out the parts before the other asked for its own.
        let deadline = ContinuousClock.now + .seconds(60)
        while !(held(ofA).count == 2 && held(ofB).count == 2) && ContinuousClock.now < deadline {
            ofB.append(try await b.poll(maxBytes: 1 << 20, timeout: 50))
            #expect(held(ofA).isDisjoint(with: held(ofB)), "one partition, two members")
            ofA.append(try await a.poll(maxBytes: 1 << 20, timeout: 50))
        }
        #expect(held(ofA).count == 2 && held(ofB).count == 2)
        #expect(held(ofA).isDisjoint(with: held(ofB)))
        try await log.produce((0..<40).map { record("t", shard: $0, "\($0)") })
        let gotA = records(try await poll(a) { records($0).count >= 20 })
        let gotB = records(try await poll(b) { records($0).count >= 20 })
        #expect(Set((gotA + gotB).map { text($0.value) }).count == 40)
        // B leaves without a commit: A goes on from the beginning of B's partitions.
        let left = held(ofB)
        await b.close()
        let taken = try await poll(a) { held($0) == left && records($0).count >= 20 }
        #expect(Set(records(taken).map { text($0.value) }) == Set(gotB.map { text($0.value) }))
        await log.close()
    }

    static func standsBy(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 1])
        let members = [try await log.consumer(topics: ["t"], group: "g"), try await log.consumer(topics: ["t"], group: "g")]
        var told: [[ConsumedBatch]] = [[], []]
        func settled() -> Bool { told.allSatisfy { $0.last?.isMember == true } && told.flatMap(held).count == 1 }
        let deadline = ContinuousClock.now + .seconds(60)
        while !settled() && ContinuousClock.now < deadline {
            for (i, member) in members.enumerated() { told[i].append(try await member.poll(maxBytes: 1 << 20, timeout: 50)) }
        }
        #expect(settled(), "\(told.map { ($0.last?.isMember, held($0)) })")
        #expect(told.joined().allSatisfy { $0.isMember || ($0.assigned.isEmpty && $0.records.isEmpty) })
        await log.close()
    }

    static func groupsAreIndependent(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 1])
        try await log.produce([record("t", "x")])
        for group in ["g1", "g2"] {
            let consumer = try await log.consumer(topics: ["t"], group: group)
            let got = records(try await poll(consumer) { !records($0).isEmpty })
            #expect(got.map { text($0.value) } == ["x"])
            try await consumer.commit([TopicPartition("t", 0): got[0].offset + 1])
            await consumer.close()
        }
        #expect(try await log.committedOffsets(topic: "t", group: "g3").isEmpty)
        await log.close()
    }

    static func seek(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 1])
        let place = TopicPartition("t", 0)
        try await log.produce((0..<100).map { record("t", "\($0)") })
        let consumer = try await log.consumer(topics: ["t"], group: "g")
        let all = records(try await poll(consumer) { records($0).count >= 100 })
        for i in [50, 99, 0, 73] {
            try await consumer.seek(place, to: all[i].offset)
            let got = records(try await poll(consumer) { records($0).count >= 100 - i })
            #expect(got.map { text($0.value) } == (i..<100).map { "\($0)" })
        }
        let tail = try await log.tail(topics: ["t"], from: .end)
        try await tail.seek(place, to: all[98].offset)
        #expect(records(try await poll(tail) { records($0).count >= 2 }).map { text($0.value) } == ["98", "99"])
        await log.close()
    }

    static func tails(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 2])
        try await log.produce([record("t", shard: 0, "old 0"), record("t", shard: 1, "old 1")])
        let end = try await log.tail(topics: ["t"], from: .end)
        let earliest = try await log.tail(topics: ["t"], from: .earliest)
        try await log.produce([record("t", shard: 0, "new 0"), record("t", shard: 1, "new 1")])
        #expect(Set(records(try await poll(end) { records($0).count >= 2 }).map { text($0.value) }) == ["new 0", "new 1"])
        let all = records(try await poll(earliest) { records($0).count >= 4 })
        #expect(Set(all.map { text($0.value) }) == ["old 0", "old 1", "new 0", "new 1"])
        let none = try await log.tail(topics: ["t"], from: .time(Int64.max / 4))
        #expect(try await none.poll(maxBytes: 1000, timeout: 20).records.isEmpty)
        await log.close()
    }

    static func tailFromTime(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 2])
        try await log.produce([record("t", shard: 0, "old 0"), record("t", shard: 1, "old 1")])
        // Times of the log have milliseconds: the next record must come at least one later.
        try await Task.sleep(for: .milliseconds(5))
        try await log.produce([record("t", shard: 0, "new 0"), record("t", shard: 1, "new 1")])
        let all = try await readToEnd(log, "t")
        #expect(all.count == 4)
        let time = try #require(all.filter { text($0.value).hasPrefix("new") }.map { $0.appendTime }.min())
        let late = try await log.tail(topics: ["t"], from: .time(time))
        #expect(Set(records(try await poll(late) { records($0).count >= 2 }).map { text($0.value) }) == ["new 0", "new 1"])
        await log.close()
    }

    static func endOffsets(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 2])
        let before = try await log.endOffsets(topic: "t")
        #expect(Set(before.keys) == [TopicPartition("t", 0), TopicPartition("t", 1)])
        try await log.produce((0..<5).map { _ in record("t", shard: 1, "x") })
        let after = try await log.endOffsets(topic: "t")
        let last = try await readToEnd(log, "t").map { $0.offset }.max()
        #expect(after[TopicPartition("t", 0)] == before[TopicPartition("t", 0)])
        #expect(after[TopicPartition("t", 1)] == last.map { $0 + 1 })
        await log.close()
    }

    static func pollWakes(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 1])
        let tail = try await log.tail(topics: ["t"], from: .end)
        let started = ContinuousClock.now
        async let waiting = tail.poll(maxBytes: 1000, timeout: 60_000)
        try await Task.sleep(for: .milliseconds(30))
        try await log.produce([record("t", "x")])
        #expect(try await waiting.records.map { text($0.value) } == ["x"])
        #expect(ContinuousClock.now - started < .seconds(30))
        await log.close()
    }

    static func pollTimesOut(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 1])
        let tail = try await log.tail(topics: ["t"], from: .end)
        let started = ContinuousClock.now
        #expect(try await tail.poll(maxBytes: 1000, timeout: 50).records.isEmpty)
        #expect(ContinuousClock.now - started >= .milliseconds(45))
        #expect(try await tail.poll(maxBytes: 1000, timeout: 0).records.isEmpty)
        await log.close()
    }

    static func cancelledPoll(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 1])
        let tail = try await log.tail(topics: ["t"], from: .end)
        let started = ContinuousClock.now
        let waiting = Task { try await tail.poll(maxBytes: 1000, timeout: 60_000) }
        waiting.cancel()
        _ = try? await waiting.value
        let later = Task { try await tail.poll(maxBytes: 1000, timeout: 60_000) }
        try await Task.sleep(for: .milliseconds(30))
        later.cancel()
        _ = try? await later.value
        #expect(ContinuousClock.now - started < .seconds(30))
        // The consumer is of use afterwards.
        try await log.produce([record("t", "x")])
        #expect(records(try await poll(tail) { !records($0).isEmpty }).count == 1)
        await log.close()
    }

    static func concurrentProducers(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 3])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for producer in 0..<16 {
                group.addTask {
                    for i in 0..<20 { try await log.produce([record("t", shard: producer, "\(producer):\(i)")]) }
                }
            }
            try await group.waitForAll()
        }
        let all = try await readToEnd(log, "t")
        #expect(all.count == 320)
        for producer in 0..<16 {
            let mine = all.map { text($0.value) }.filter { $0.hasPrefix("\(producer):") }
            #expect(mine == (0..<20).map { "\(producer):\($0)" })
        }
        await log.close()
    }

    static func bigRecords(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 1])
        let sizes = [900_000, 1, 300_000, 0, 900_000]
        try await log.produce(sizes.map { record("t", String(repeating: "x", count: $0)) })
        let got = try await readToEnd(log, "t", maxBytes: 1000)
        #expect(got.map { $0.value.count } == sizes)
        await #expect {
            try await log.produce([record("t", "small"), record("t", String(repeating: "x", count: 17 << 20))])
        } throws: { ($0 as? MessagingError)?.code == .tooLarge }
        await log.close()
    }

    static func manyTopics(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["a": 2, "b": 1])
        try await log.produce([record("a", shard: 0, "1"), record("b", "2"), record("a", shard: 1, "3")])
        let consumer = try await log.consumer(topics: ["a", "b"], group: "g")
        let got = records(try await poll(consumer) { records($0).count >= 3 })
        #expect(Set(got.map { "\($0.topic)/\($0.partition) \(text($0.value))" }) == ["a/0 1", "a/1 3", "b/0 2"])
        await log.close()
    }

    static func emptyCall(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 1])
        try await log.produce([])
        #expect(try await readToEnd(log, "t").isEmpty)
        await log.close()
    }

    static func closeEndsConsumers(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 1])
        let tail = try await log.tail(topics: ["t"], from: .end)
        let member = try await log.consumer(topics: ["t"], group: "g")
        let started = ContinuousClock.now
        async let first = try? tail.poll(maxBytes: 1000, timeout: 60_000)
        async let second = try? member.poll(maxBytes: 1000, timeout: 60_000)
        try await Task.sleep(for: .milliseconds(30))
        await log.close()
        _ = await (first, second)
        #expect(ContinuousClock.now - started < .seconds(30))
        await log.close()
    }

    static func closedLogRefuses(_ harness: any LogHarness) async throws {
        let log = try await harness.open(topics: ["t": 1])
        let tail = try await log.tail(topics: ["t"], from: .earliest)
        await log.close()
        func isClosed(_ error: any Error) -> Bool { (error as? MessagingError)?.code == .closed }
        await #expect { try await log.produce([record("t", "x")]) } throws: { isClosed($0) }
        await #expect { _ = try await tail.poll(maxBytes: 1000, timeout: 0) } throws: { isClosed($0) }
        await #expect { _ = try await log.consumer(topics: ["t"], group: "g") } throws: { isClosed($0) }
        await #expect { _ = try await log.endOffsets(topic: "t") } throws: { isClosed($0) }
    }
}
