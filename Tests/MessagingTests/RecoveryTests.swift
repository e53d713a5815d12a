import Logging
import MessagingContract
import TestSupport
import Testing
import TimeSeries

@testable import Messaging

@Suite("Recovery") struct RecoveryTests {
    private func filled(_ count: Int, segmentBytes: Int64 = 1 << 20, _ device: SimulatedDevice) async throws -> Bench {
        var bench = Bench(device)
        bench.options.segmentBytes = segmentBytes
        let log = try await bench.open()
        for i in 0..<count { try await log.produce([record("t", "value \(i) " + String(repeating: "x", count: 100))]) }
        await log.close()
        return bench
    }

    private func numbers(_ log: EmbeddedLog) async throws -> [Int] {
        try await everything(log, "t").compactMap { Int(text($0.value).split(separator: " ")[1]) }
    }

    private let frame = 28 + 5 + 108

    @Test func tornTail() async throws {
        let device = SimulatedDevice()
        let bench = try await filled(10, device)
        let path = try #require(device.paths("0.log").first)
        device.edit(path) { $0.removeLast(7) }
        let log = try await bench.open()
        #expect(try await numbers(log) == Array(0..<9))
        #expect(device.content(path).count == 16 + 9 * frame)
        #expect(device.paths(".corrupt").isEmpty)
        let warning = try #require(bench.lines.all.first { $0.contains("cut the tail") })
        for part in ["position=\(16 + 9 * frame)", "bytes_dropped=\(frame - 7)", path] { #expect(warning.contains(part)) }
        #expect(bench.metric("almanac_log_cut_bytes_total{topic=\"t\"}") == Double(frame - 7))
        try await log.produce([record("t", "value 9")])
        #expect(try await everything(log, "t").map { $0.offset } == Array(0..<10))
        await log.close()
    }

    @Test func zerosAtTheEnd() async throws {
        let device = SimulatedDevice()
        let bench = try await filled(3, device)
        device.edit(try #require(device.paths("0.log").first)) { $0 += Array(repeating: 0, count: 5000) }
        let log = try await bench.open()
        #expect(try await numbers(log) == [0, 1, 2])
        #expect(device.paths(".corrupt").isEmpty)
        await log.close()
    }

    /// The last record is damaged, not cut short: it may have been acknowledged, so its offset is not given to another.
    @Test func corruptTail() async throws {
        let device = SimulatedDevice()
        let bench = try await filled(10, device)
        let path = try #require(device.paths("0.log").first)
        device.edit(path) { $0[$0.count - 20] ^= 1 }
        let log = try await bench.open()
        #expect(try await numbers(log) == Array(0..<9))
        let side = try #require(device.paths(".corrupt").first)
        #expect(device.content(side).count == frame)
        let end = try await log.endOffsets(topic: "t")[TopicPartition("t", 0)] ?? 0
        #expect(end > 9)
        await log.close()
        // Also after another start without a record in between.
        let again = try await bench.open()
        #expect(try await again.endOffsets(topic: "t") == [TopicPartition("t", 0): end])
        try await again.produce([record("t", "value 10")])
        #expect(try await numbers(again) == Array(0..<9) + [10])
        #expect(try await everything(again, "t").last?.offset == end)
        await again.close()
        // What was cut is told by the start that cut it, not by each reader again.
        #expect(bench.metric("almanac_log_corrupt_frames_total{topic=\"t\"}") == 1)
        #expect(!bench.lines.all.contains { $0.contains("the records at the end are missing") })
    }

    /// Sound records behind the damage are kept: they were acknowledged.
    @Test(arguments: [0, 1, 4, 8]) func damageInsideTheLastSegment(which: Int) async throws {
        let device = SimulatedDevice()
        let bench = try await filled(10, device)
        let path = try #require(device.paths("0.log").first)
        for damage in [0, 5, 10, 15, 40] {
            let sound = device.content(path)
            device.edit(path) { $0[16 + which * frame + damage] ^= 0x55 }
            let log = try await bench.open()
            #expect(try await numbers(log) == (0..<10).filter { $0 != which }, "byte \(damage) of frame \(which)")
            await log.close()
            device.edit(path) { $0 = sound }
        }
    }

    @Test func damageInAnOlderSegment() async throws {
        let device = SimulatedDevice()
        let bench = try await filled(100, segmentBytes: 4096, device)
        let paths = device.paths(".log").filter { $0.contains("/topics/") }
        #expect(paths.count > 3)
        device.edit(paths[1]) { bytes in for i in 300..<700 { bytes[i] = UInt8(truncatingIfNeeded: i &* 31) } }
        let log = try await bench.open()
        let got = try await numbers(log)
        #expect(got.count >= 95 && got.count < 100 && got == got.sorted())
        #expect((bench.metric("almanac_log_corrupt_frames_total{topic=\"t\"}") ?? 0) > 0)
        #expect(bench.lines.all.contains { $0.contains("damaged bytes in a segment were skipped") && $0.contains(paths[1]) })
        await log.close()
        device.edit(paths[1]) { $0.removeLast(500) }
        device.edit(paths[2]) { $0 = [] }
        let again = try await bench.open()
        let rest = try await numbers(again)
        #expect(rest.count > 40 && rest == rest.sorted() && rest.first == 0 && rest.last == 99)
        await again.close()
    }

    /// Whole frames gone, so that no byte is wrong: what is missing is told all the same.
    @Test func anOlderSegmentThatLostItsEnd() async throws {
        let device = SimulatedDevice()
        let bench = try await filled(100, segmentBytes: 4096, device)
        let path = try #require(device.paths(".log").filter { $0.contains("/topics/") }.dropFirst().first)
        // Numbers of two digits: a byte more than the first ten.
        device.edit(path) { $0.removeLast(2 * (frame + 1)) }
        let log = try await bench.open()
        let got = try await numbers(log)
        #expect(got.count == 98 && got == got.sorted() && got.last == 99)
        #expect(bench.metric("almanac_log_corrupt_frames_total{topic=\"t\"}") == 1)
        #expect(bench.lines.all.contains { $0.contains("the records at the end are missing") && $0.contains(path) })
        await log.close()
    }

    /// Random damage anywhere: no crash, no endless loop, nothing invented, and appending goes on.
    @Test(arguments: 0..<60 as Range<UInt64>) func randomDamage(seed: UInt64) async throws {
        var generator = SplitMix64(seed: seed)
        let device = SimulatedDevice()
        let bench = try await filled(60, segmentBytes: 4096, device)
        let paths = device.paths(".log")
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let path = paths[Int.random(in: 0..<paths.count, using: &generator)]
            let kind = Int.random(in: 0..<4, using: &generator)
            let at = Double.random(in: 0..<1, using: &generator)
            let noise = (0..<200).map { _ in UInt8.random(in: 0...255, using: &generator) }
            device.edit(path) { bytes in
                let i = Int(at * Double(bytes.count))
                switch kind {
                case 0 where i < bytes.count: bytes[i] ^= noise[0] | 1
                case 1: bytes.removeLast(bytes.count - i)
                case 2: bytes.insert(contentsOf: noise, at: i)
                default: bytes.replaceSubrange(i..<min(bytes.count, i + 200), with: noise.prefix(min(200, bytes.count - i)))
                }
            }
        }
        let log = try await bench.open()
        let got = try await numbers(log)
        #expect(got == got.sorted() && Set(got).count == got.count && got.allSatisfy { (0..<60).contains($0) }, "seed \(seed)")
        try await log.produce([record("t", "value 1000")])
        #expect(try await numbers(log) == got + [1000], "seed \(seed)")
        await log.close()
        let again = try await bench.open()
        #expect(try await numbers(again) == got + [1000], "seed \(seed)")
        await again.close()
    }

    @Test func committedBeyondTheEnd() async throws {
        let device = SimulatedDevice()
        let bench = try await filled(10, device)
        let log = try await bench.open()
        let consumer = try await log.consumer(topics: ["t"], group: "g")
        try await poll(consumer) { records($0).count == 10 }
        try await consumer.commit([TopicPartition("t", 0): 10])
        await log.close()
        device.edit(try #require(device.paths("0.log").first { $0.contains("/topics/") })) { $0.removeLast(3 * frame) }
        let again = try await bench.open()
        try await again.produce([record("t", "value 11")])
        let member = try await again.consumer(topics: ["t"], group: "g")
        let got = records(try await poll(member) { !records($0).isEmpty })
        #expect(got.map { text($0.value) } == ["value 11"])
        #expect(got.map { $0.offset } == [10])
        await again.close()
    }

    @Test func damagedOffsets() async throws {
        let device = SimulatedDevice()
        let bench = try await filled(10, device)
        let place = TopicPartition("t", 0)
        let log = try await bench.open()
        let consumer = try await log.consumer(topics: ["t"], group: "g")
        try await poll(consumer) { records($0).count == 10 }
        for offset in 1...5 { try await consumer.commit([place: Int64(offset)]) }
        await log.close()
        device.edit("/log/offsets.log") { $0.removeLast(3) }
        let again = try await bench.open()
        #expect(try await again.committedOffsets(topic: "t", group: "g") == [place: 4])
        let member = try await again.consumer(topics: ["t"], group: "g")
        try await poll(member) { records($0).count == 6 }
        try await member.commit([place: 9])
        await again.close()
        let last = try await bench.open()
        #expect(try await last.committedOffsets(topic: "t", group: "g") == [place: 9])
        await last.close()
    }

    @Test func offsetsAreCompacted() async throws {
        let device = SimulatedDevice()
        let metrics = Bench(device).metrics
        let store = try OffsetStore("/o", device: device, metrics: LogMetrics(metrics), logger: Logger(label: "x"), compactionBytes: 2000)
        for i in 0..<500 {
            let key = OffsetStore.Key(group: "g\(i % 3)", partition: TopicPartition("t", Int32(i % 2)))
            try store.append([(key, Int64(i))], time: 1)
        }
        #expect(device.content("/o/offsets.log").count < 4000)
        let again = try OffsetStore("/o", device: device, metrics: LogMetrics(metrics), logger: Logger(label: "x"))
        #expect(again.all() == store.all())
        #expect(again.all().count == 6)
        #expect(again.offset(group: "g1", TopicPartition("t", 1)) == 499)
    }
}
