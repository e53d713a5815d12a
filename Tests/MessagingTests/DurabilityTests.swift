import Dispatch
import Glibc
import MessagingContract
import Synchronization
import Telemetry
import TestSupport
import Testing
import TimeSeries

@testable import Messaging

@Suite("Durability") struct DurabilityTests {
    @Test func acknowledgementFollowsSync() async throws {
        let device = SimulatedDevice()
        let log = try await Bench(device).open()
        for i in 0..<50 {
            let value = "value \(i) of the trace"
            try await log.produce([record("t", value)])
            device.note("ack \(i)")
            #expect(device.isDurable(Array(value.utf8)), "record \(i) was acknowledged and would not survive")
        }
        // In the order of calls: between a write of a segment and the next acknowledgement stands its sync.
        var dirty: Set<String> = []
        for event in device.trace {
            switch event.operation {
            case .write: dirty.insert(event.text)
            case .sync: dirty.remove(event.text)
            case nil: #expect(dirty.isEmpty, "\(event) with unsynced writes to \(dirty)")
            default: break
            }
        }
        await log.close()
    }

    @Test func nothingIsSeenBeforeSyncReturns() async throws {
        let device = SimulatedDevice()
        let log = try await Bench(device).open()
        try await log.produce([record("t", "first")])
        let tail = try await log.tail(topics: ["t"], from: .end)
        let gate = device.hold(.sync)
        let flag = Flag()
        let producing = Task {
            try await log.produce([record("t", "second")])
            flag.raise()
        }
        try await eventually("a write whose sync is held up") { device.trace.last?.operation == .write }
        #expect(try await tail.poll(maxBytes: 1000, timeout: 30).records.isEmpty)
        #expect(try await log.endOffsets(topic: "t") == [TopicPartition("t", 0): 1])
        #expect(!flag.isRaised)
        gate.signal()
        try await producing.value
        #expect(try await tail.poll(maxBytes: 1000, timeout: 10_000).records.map { text($0.value) } == ["second"])
        await log.close()
    }

    @Test func waitingProducersShareOneSync() async throws {
        let device = SimulatedDevice()
        let log = try await Bench(device).open()
        try await log.produce([record("t", "first")])
        let gate = device.hold(.sync)
        let first = Task { try await log.produce([record("t", "held")]) }
        try await eventually("a write whose sync is held up") { device.trace.last?.operation == .write }
        let others = (0..<20).map { i in Task { try await log.produce([record("t", "\(i)")]) } }
        // All of them: the held one, which counts until it is durable, and the twenty.
        let queued = ((0..<20).map { "\($0)" } + ["held"]).reduce(0) { $0 + Frame.bytes(of: record("t", $1)) }
        try await eventually("twenty records in the queue") { log.metrics.queueBytes.value >= Double(queued) }
        let before = device.trace.count
        gate.signal()
        try await first.value
        for other in others { try await other.value }
        let syncs = device.trace.dropFirst(before).filter { $0.operation == .sync }.count
        let writes = device.trace.dropFirst(before).filter { $0.operation == .write }.count
        #expect(
            syncs == 2 && writes == 1, "one sync for the held record, one for the twenty that waited: \(device.trace.dropFirst(before))")
        await log.close()
    }

    struct Outcome: Sendable {
        var acknowledged: [String] = []
        var committed: Offset = 0
    }

    /// Four producers and a committing consumer until the power goes.
    private func load(_ log: EmbeddedLog) async -> Outcome {
        let outcome = Shared(Outcome())
        await withTaskGroup(of: Void.self) { group in
            for producer in 0..<4 {
                group.addTask {
                    for i in 0..<25 {
                        let values = (0...(i % 3)).map { "p\(producer):\(i).\($0)#" + String(repeating: "x", count: (i * 37) % 200) }
                        do { try await log.produce(values.map { record("t", $0) }) } catch { return }
                        outcome.withLock { $0.acknowledged += values }
                    }
                }
            }
            group.addTask {
                guard let consumer = try? await log.consumer(topics: ["t"], group: "g") else { return }
                for _ in 0..<15 {
                    guard let batch = try? await consumer.poll(maxBytes: 2000, timeout: 20) else { return }
                    guard let last = batch.records.last else { continue }
                    do { try await consumer.commit([TopicPartition("t", 0): last.offset + 1]) } catch { return }
                    outcome.withLock { $0.committed = last.offset + 1 }
                }
            }
        }
        return outcome.withLock { $0 }
    }

    @Test(arguments: 0..<200 as Range<UInt64>) func crashLosesNothingAcknowledged(seed: UInt64) async throws {
        var generator = SplitMix64(seed: seed)
        let device = SimulatedDevice()
        var bench = Bench(device)
        bench.options.segmentBytes = 4096
        let calls = Int.random(in: 5...220, using: &generator)
        let kind: SimulatedDevice.CrashKind = seed % 4 == 3 ? .sectors : .torn
        let hint: Comment = "seed \(seed): \(kind) crash after \(calls) calls"
        device.crash(afterCalls: calls)
        let outcome: Outcome
        if let log = try? await bench.open() {
            outcome = await load(log)
            await log.close()
        } else {
            outcome = Outcome()
        }

        let survivor = device.afterCrash(kind, using: &generator)
        let again = Bench(survivor)
        let log = try await again.open()
        let found = try await everything(log, "t")
        let values = found.map { text($0.value) }
        #expect(Set(outcome.acknowledged).subtracting(values).isEmpty, hint)
        #expect(Set(values).count == values.count, hint)
        for producer in 0..<4 {
            let mine = outcome.acknowledged.filter { $0.hasPrefix("p\(producer):") }
            #expect(values.filter { Set(mine).contains($0) && $0.hasPrefix("p\(producer):") } == mine, hint)
        }
        let offsets = found.map { $0.offset }
        if kind == .torn { #expect(offsets == Array(0..<Int64(offsets.count)), hint) }
        #expect(zip(offsets, offsets.dropFirst()).allSatisfy { $0 < $1 }, hint)
        let committed = try await log.committedOffsets(topic: "t", group: "g")[TopicPartition("t", 0)] ?? 0
        #expect(committed >= outcome.committed, hint)

        // The log goes on, and a clean restart finds all of it.
        let fresh = (0..<30).map { "after \($0) " + String(repeating: "y", count: 150) }
        for value in fresh { try await log.produce([record("t", value)]) }
        await log.close()
        let last = try await again.open()
        #expect(try await everything(last, "t").map { text($0.value) } == values + fresh, hint)
        await last.close()
    }
}

final class Flag: Sendable {
    private let raised = Atomic<Bool>(false)
    var isRaised: Bool { raised.load(ordering: .acquiring) }
    func raise() { raised.store(true, ordering: .releasing) }
}

@Suite("Failing disk") struct FailingDiskTests {
    @Test(arguments: [ENOSPC, EIO, EDQUOT]) func failedWrite(code: Int32) async throws {
        let device = SimulatedDevice()
        let bench = Bench(device)
        let log = try await bench.open()
        try await log.produce([record("t", "a")])
        device.fail { operation, path in operation == .write && path.hasSuffix(".log") ? code : nil }
        await #expect { try await log.produce([record("t", "lost")]) } throws: {
            ($0 as? MessagingError)?.code == (code == EIO ? .io : .storageFull)
        }
        let path = try #require(device.paths("00000000000000000000.log").first)
        let size = device.content(path).count
        #expect(size == SegmentFile.headerBytes + Frame.bytes(of: record("t", "a")), "the partial frame was cut away")
        device.fail(nil)
        try await log.produce([record("t", "b")])
        #expect(try await everything(log, "t").map { text($0.value) } == ["a", "b"])
        await log.close()
        let again = try await bench.open()
        #expect(try await everything(again, "t").map { text($0.value) } == ["a", "b"])
        #expect(try await everything(again, "t").map { $0.offset } == [0, 1])
        await again.close()
    }

    @Test func failedSync() async throws {
        let device = SimulatedDevice()
        let bench = Bench(device)
        let log = try await bench.open()
        try await log.produce([record("t", "a")])
        device.fail { operation, path in operation == .sync && path.hasSuffix(".log") ? EIO : nil }
        await #expect { try await log.produce([record("t", "lost")]) } throws: { ($0 as? MessagingError)?.code == .io }
        #expect(try await everything(log, "t").map { text($0.value) } == ["a"])
        device.fail(nil)
        try await log.produce([record("t", "b")])
        #expect(try await everything(log, "t").map { text($0.value) } == ["a", "b"])
        #expect(device.paths(".log").filter { $0.contains("/topics/") }.count == 2, "what follows a failed sync goes to a new segment")
        #expect(device.isDurable(Array("b".utf8)))
        await log.close()
        // The old segment's truncation may not have reached the disk: its unacknowledged frame must not come back.
        var generator = SplitMix64(seed: 1)
        let again = try await Bench(device.afterCrash(.torn, using: &generator)).open()
        #expect(try await everything(again, "t").map { text($0.value) } == ["a", "b"])
        await again.close()
    }

    /// Sync fails in a segment in which nothing is durable yet: the new segment has the same name.
    @Test func failedSyncOfAFreshSegment() async throws {
        let device = SimulatedDevice()
        let bench = Bench(device)
        let log = try await bench.open()
        let count = Shared(0)
        device.fail { operation, path in
            guard operation == .sync, path.hasSuffix(".log"), path.contains("/topics/") else { return nil }
            return count.withLock {
                $0 += 1
                return $0 == 2 ? EIO : nil
            }
        }
        await #expect(throws: MessagingError.self) { try await log.produce([record("t", "lost")]) }
        try await log.produce([record("t", "a")])
        #expect(try await everything(log, "t").map { text($0.value) } == ["a"])
        await log.close()
        let again = try await bench.open()
        #expect(try await everything(again, "t").map { text($0.value) } == ["a"])
        await again.close()
    }

    @Test func noSpaceForANewSegment() async throws {
        let device = SimulatedDevice()
        let bench = Bench(device)
        let log = try await bench.open()
        let long = String(repeating: "x", count: 1500)
        try await log.produce([record("t", "1" + long)])
        try await log.produce([record("t", "2" + long)])
        device.fail { operation, _ in operation == .create ? ENOSPC : nil }
        for _ in 0..<3 {
            await #expect { try await log.produce([record("t", "3" + long)]) } throws: { ($0 as? MessagingError)?.code == .storageFull }
        }
        device.fail(nil)
        try await log.produce([record("t", "4" + long)])
        #expect(try await everything(log, "t").map { text($0.value).prefix(1) } == ["1", "2", "4"])
        await log.close()
    }

    /// Errors at random calls; every acknowledged record is there, none twice.
    @Test(arguments: 0..<40 as Range<UInt64>) func randomErrors(seed: UInt64) async throws {
        let device = SimulatedDevice()
        let bench = Bench(device)
        let log = try await bench.open()
        try await log.produce([record("t", "start")])
        let generator = Shared(SplitMix64(seed: seed))
        device.fail { operation, _ in
            guard [.write, .sync, .create, .truncate, .syncDirectory].contains(operation) else { return nil }
            return generator.withLock { Int.random(in: 0..<6, using: &$0) == 0 ? (Bool.random(using: &$0) ? EIO : ENOSPC) : nil }
        }
        var acknowledged = ["start"]
        var tried: Set<String> = ["start"]
        for i in 0..<60 {
            let value = "\(i) " + String(repeating: "z", count: i * 7 % 400)
            tried.insert(value)
            do {
                try await log.produce([record("t", value)])
                acknowledged.append(value)
            } catch {}
        }
        device.fail(nil)
        #expect(try await everything(log, "t").map { text($0.value) } == acknowledged, "seed \(seed)")
        await log.close()
        var crash = SplitMix64(seed: seed)
        let again = try await Bench(device.afterCrash(.torn, using: &crash)).open()
        let found = try await everything(again, "t").map { text($0.value) }
        #expect(Set(acknowledged).subtracting(found).isEmpty && Set(found).subtracting(tried).isEmpty, "seed \(seed)")
        #expect(Set(found).count == found.count, "seed \(seed)")
        await again.close()
    }

    @Test func failedCommit() async throws {
        let device = SimulatedDevice()
        let bench = Bench(device)
        let log = try await bench.open()
        let place = TopicPartition("t", 0)
        try await log.produce((0..<5).map { record("t", "\($0)") })
        let consumer = try await log.consumer(topics: ["t"], group: "g")
        try await poll(consumer) { records($0).count == 5 }
        try await consumer.commit([place: 1])
        for operation in [SimulatedDevice.Operation.write, .sync, .rename] {
            device.fail { found, path in found == operation && path.contains("offsets.log") ? EIO : nil }
            // After a failed sync the file is written anew, which is when a failing rename shows.
            if operation == .rename {
                device.fail { found, path in [.sync, .rename].contains(found) && path.contains("offsets.log") ? EIO : nil }
            }
            await #expect(throws: MessagingError.self) { try await consumer.commit([place: 2]) }
            #expect(try await log.committedOffsets(topic: "t", group: "g") == [place: 1])
        }
        device.fail(nil)
        try await consumer.commit([place: 3])
        let syncs = device.trace.count
        try await consumer.commit([place: 3])
        #expect(device.trace.count == syncs, "an unchanged offset touches no file")
        await log.close()
        let again = try await bench.open()
        #expect(try await again.committedOffsets(topic: "t", group: "g") == [place: 3])
        await again.close()
    }

    @Test func fullQueueHoldsProducersBack() async throws {
        let device = SimulatedDevice()
        var bench = Bench(device)
        bench.options.queueBytes = 1000
        let log = try await bench.open()
        try await log.produce([record("t", "first")])
        let gate = device.hold(.sync)
        let value = String(repeating: "x", count: 400)
        let tasks = (0..<6).map { i in Task { try await log.produce([record("t", "\(i)" + value)]) } }
        try await eventually("a write whose sync is held up") { device.trace.last?.operation == .write }
        for _ in 0..<1000 { await Task.yield() }
        #expect(log.metrics.queueBytes.value <= 1000)
        #expect(log.metrics.queueBytes.value > 0)
        // One that waits for room can be cancelled.
        let cancelled = Task { try await log.produce([record("t", "cancelled" + value)]) }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        gate.signal()
        for task in tasks { try await task.value }
        // Where there is room, cancellation does not keep a task from its last words.
        let late = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await log.produce([record("t", "last words")])
        }
        try await late.value
        #expect(try await everything(log, "t").count == 8)
        #expect(log.metrics.queueBytes.value == 0)
        // Larger than the whole queue: passes alone.
        try await log.produce([record("t", String(repeating: "y", count: 3000))])
        await log.close()
    }

    @Test func closeWritesWhatWasHandedOver() async throws {
        let device = SimulatedDevice()
        let bench = Bench(device)
        let log = try await bench.open()
        try await log.produce([record("t", "first")])
        let gate = device.hold(.sync)
        let tasks = (0..<10).map { i in Task { (try? await log.produce([record("t", "\(i)")])) != nil } }
        try await eventually("ten records in the queue") {
            log.metrics.queueBytes.value >= Double(10 * Frame.bytes(of: record("t", "1")))
        }
        let closing = Task { await log.close() }
        gate.signal()
        await closing.value
        var acknowledged = 0
        for task in tasks where await task.value { acknowledged += 1 }
        let again = try await bench.open()
        #expect(try await everything(again, "t").count >= acknowledged + 1)
        await again.close()
    }
}
