import MessagingContract
import TestSupport
import Testing
import TimeSeries

@testable import Messaging

@Suite("Frames") struct FrameTests {
    /// RFC 3720, B.4, and the check value of the CRC catalogue.
    static let vectors: [([UInt8], UInt32)] = [
        (Array("123456789".utf8), 0xe306_9283),
        (Array(repeating: 0, count: 32), 0x8a91_36aa),
        (Array(repeating: 0xff, count: 32), 0x62a8_ab43),
        (Array(0..<32), 0x46dd_794e),
        ([], 0),
    ]

    @Test(arguments: vectors) func checksum(_ bytes: [UInt8], _ expected: UInt32) { #expect(CRC32C.checksum(bytes) == expected) }

    @Test func checksumContinues() {
        let bytes = (0..<100).map { UInt8($0 * 7 & 0xff) }
        for cut in 0...100 {
            let first = CRC32C.checksum(Array(bytes[..<cut]))
            #expect(Array(bytes[cut...]).withUnsafeBytes { CRC32C.update(first, $0) } == CRC32C.checksum(bytes))
        }
    }

    static func randomRecord(_ generator: inout SplitMix64) -> ProducerRecord {
        func bytes(_ most: Int) -> [UInt8] {
            (0..<Int.random(in: 0...most, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
        let key: RecordKey =
            Bool.random(using: &generator)
            ? .shard(Shard(UInt16.random(in: 0..<1024, using: &generator))) : .text(String(decoding: bytes(20), as: UTF8.self))
        let headers = (0..<Int.random(in: 0...3, using: &generator)).map { RecordHeader("h\($0)", bytes(10)) }
        return ProducerRecord(topic: "t", key: key, value: bytes(300), headers: headers)
    }

    @Test(arguments: 0..<50 as Range<UInt64>) func roundTrip(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let sent = (0..<20).map { _ in FrameTests.randomRecord(&generator) }
        var batch = FrameBatch()
        for record in sent { batch.append(record) }
        #expect(batch.bytes.count == sent.reduce(0) { $0 + Frame.bytes(of: $1) })
        batch.seal(firstOffset: 77, time: 1234)
        try batch.bytes.withUnsafeBytes { raw in
            for (i, start) in batch.starts.enumerated() {
                let header = try #require(FrameHeader(UnsafeRawBufferPointer(rebasing: raw[start...])))
                let body = UnsafeRawBufferPointer(rebasing: raw[(start + Frame.headerBytes)..<(start + header.totalBytes)])
                #expect(header.matches(body: body), "seed \(seed)")
                #expect(header.offset == 77 + Int64(i) && header.time == 1234)
                let record = try #require(Frame.record(in: body, header: header, place: TopicPartition("t", 3)))
                #expect(record.key == sent[i].key && record.value == sent[i].value && record.headers == sent[i].headers, "seed \(seed)")
            }
        }
    }

    /// The bytes in docs/formats/log.md, whose checksum was computed by another program.
    @Test func documentedVector() {
        var batch = FrameBatch()
        batch.append(ProducerRecord(topic: "t", key: .shard(Shard(7)), value: [1, 2, 3]))
        batch.seal(firstOffset: 5, time: 6)
        let expected = "f5 61 6c 6d 08 00 00 00 d2 ac 8d 5c 05 00 00 00 00 00 00 00 06 00 00 00 00 00 00 00 00 00 00 07 00 01 02 03"
        #expect(batch.bytes == expected.split(separator: " ").compactMap { UInt8($0, radix: 16) })
    }

    /// Any changed bit is found: in the header, the key or the value.
    @Test func everyBitCounts() throws {
        let record = ProducerRecord(topic: "t", key: .text("k"), value: [1, 2, 3], headers: [RecordHeader("a", [9])])
        var batch = FrameBatch()
        batch.append(record)
        batch.seal(firstOffset: 5, time: 6)
        for bit in 0..<(batch.bytes.count * 8) {
            var damaged = batch.bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            let file = MemoryFile(SegmentFile.header() + damaged)
            var window = SegmentWindow(file, size: try file.size(), blockBytes: 64)
            if case .frame = try window.frame(at: Int64(SegmentFile.headerBytes), expecting: 5) {
                Issue.record("bit \(bit) was not noticed")
            }
        }
    }

    @Test func lyingBodiesAreRefused() {
        // A checksum over nonsense can be right: counts that lead beyond the end must not.
        for body: [UInt8] in [[], [0], [0, 0, 0], [2, 0, 0], [1, 0, 0, 255, 255, 255, 255], [0, 1, 0, 0, 0], [0, 1, 0, 0, 0, 5, 0]] {
            let header = FrameHeader(bodyBytes: body.count)
            #expect(body.withUnsafeBytes { Frame.record(in: $0, header: header, place: TopicPartition("t", 0)) } == nil, "\(body)")
        }
    }
}

extension FrameHeader {
    init(bodyBytes: Int) {
        self.init(bodyBytes: bodyBytes, checksum: 0, offset: 0, time: 0)
    }
}

/// A file in memory.
final class MemoryFile: LogFile {
    private let content: [UInt8]
    init(_ content: [UInt8]) { self.content = content }
    func size() throws -> Int64 { Int64(content.count) }
    func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws {}
    func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int64) throws -> Int {
        let end = min(content.count, Int(position) + buffer.count)
        guard Int(position) < end else { return 0 }
        buffer.copyBytes(from: content[Int(position)..<end])
        return end - Int(position)
    }
    func sync() throws {}
    func truncate(to size: Int64) throws {}
}
