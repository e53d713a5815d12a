import TestSupport
import Testing
import TimeSeries

@testable import Records

@Suite struct SamplesRecordTests {
    private static let section = SeriesSection([
        (LabelSet(name: "up", [Label("job", "node")]), .gauge), (LabelSet(name: "hits_total", [Label("job", "node")]), .counter),
    ])

    private func decode(_ bytes: [UInt8]) throws -> SamplesRecord { try bytes.withUnsafeBytes { try SamplesRecord(decoding: $0) } }

    private func series(_ record: SamplesRecord, in bytes: [UInt8]) throws -> [SeriesKey] {
        try bytes.withUnsafeBytes { try SeriesSection.decode(UnsafeRawBufferPointer(rebasing: $0[record.sectionRange])) }
    }

    private var oneTime: [UInt8] {
        SamplesRecord.encode(
            source: 0x0102_0304_0506_0708, watermark: 1_700_000_000_000, section: SamplesRecordTests.section, time: 1_700_000_000_000,
            values: [1, 2.5])
    }

    private var manyTimes: [UInt8] {
        SamplesRecord.encode(
            source: 1, watermark: 30_000, section: SamplesRecordTests.section, counts: [2, 1], times: [15_000, 30_000, 20_000],
            values: [1, .nan, StaleMarker.value])
    }

    // MARK: The vectors of docs/formats/samples.md

    @Test func vectorOfTheSection() {
        let expected = """
            05 08 5f 5f 6e 61 6d 65 5f 5f 02 75 70 03 6a 6f 62 04 6e 6f 64 65 0a 68 \
            69 74 73 5f 74 6f 74 61 6c 02 01 02 00 01 02 03 02 02 00 04 02 03
            """
        #expect(hex(SamplesRecordTests.section.bytes) == expected)
    }

    @Test func vectorOfOneTime() {
        let expected = """
            a1 01 01 08 07 06 05 04 03 02 01 00 68 e5 cf 8b 01 00 00 1b e3 a7 0d 2f \
            bc 4c 05 2e 05 08 5f 5f 6e 61 6d 65 5f 5f 02 75 70 03 6a 6f 62 04 6e 6f \
            64 65 0a 68 69 74 73 5f 74 6f 74 61 6c 02 01 02 00 01 02 03 02 02 00 04 \
            02 03 02 00 68 e5 cf 8b 01 00 00 00 00 00 00 00 00 f0 3f 00 00 00 00 00 \
            00 04 40
            """
        #expect(hex(oneTime) == expected)
    }

    @Test func vectorOfManyTimes() {
        let expected = """
            a1 01 00 01 00 00 00 00 00 00 00 30 75 00 00 00 00 00 00 1b e3 a7 0d 2f \
            bc 4c 05 2e 05 08 5f 5f 6e 61 6d 65 5f 5f 02 75 70 03 6a 6f 62 04 6e 6f \
            64 65 0a 68 69 74 73 5f 74 6f 74 61 6c 02 01 02 00 01 02 03 02 02 00 04 \
            02 03 02 02 01 b0 ea 01 b0 ea 01 9f 9c 01 00 00 00 00 00 00 f0 3f 00 00 \
            00 00 00 00 f8 7f 02 00 00 00 00 00 f0 7f
            """
        #expect(hex(manyTimes) == expected)
    }

    // MARK: Round trips

    @Test func oneTimeComesBack() throws {
        let record = try decode(oneTime)
        #expect(record.source == 0x0102_0304_0506_0708)
        #expect(record.watermark == 1_700_000_000_000)
        #expect(record.sectionHash == SamplesRecordTests.section.hash)
        #expect(record.counts == nil)
        #expect(record.times == [1_700_000_000_000])
        #expect(record.values == [1, 2.5])
        let keys = try series(record, in: oneTime)
        #expect(keys.map { "\($0.labels)" } == [#"up{job="node"}"#, #"hits_total{job="node"}"#])
        #expect(keys.map(\.type) == [.gauge, .counter])
    }

    @Test func anEmptySectionComesBack() throws {
        let empty = SeriesSection([])
        let bytes = SamplesRecord.encode(source: 1, watermark: 2, section: empty, counts: [], times: [], values: [])
        let record = try decode(bytes)
        #expect(record.counts == [])
        #expect(record.values.isEmpty)
        #expect(try series(record, in: bytes).isEmpty)
    }

    @Test(arguments: 1...30 as ClosedRange<UInt64>)
    func anyRecordComesBack(_ seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for _ in 0..<20 {
            let count = Int.random(in: 0...40, using: &random)
            let labels = (0..<count).map { i in
                LabelSet(name: "m\(i)", (0..<Int.random(in: 0...4, using: &random)).map { Label("l\($0)", String(random.next() % 50)) })
            }
            let types: [MetricType] = labels.map { _ in [MetricType.unknown, .gauge, .counter][Int.random(in: 0..<3, using: &random)] }
            let section = SeriesSection(Array(zip(labels, types)).map { (labels: $0.0, type: $0.1) })
            let counts = labels.map { _ in Int.random(in: 0...5, using: &random) }
            let total = counts.reduce(0, +)
            let times = (0..<total).map { _ in Int64(bitPattern: random.next()) }
            let values = (0..<total).map { _ in Double(bitPattern: random.next()) }
            let bytes = SamplesRecord.encode(
                source: random.next(), watermark: Int64(bitPattern: random.next()), section: section, counts: counts, times: times,
                values: values)
            let record = try decode(bytes)
            #expect(record.counts == counts, "seed \(seed)")
            #expect(record.times == times, "seed \(seed)")
            #expect(record.values.map(\.bitPattern) == values.map(\.bitPattern), "seed \(seed)")
            let keys = try series(record, in: bytes)
            #expect(keys.map(\.labels) == labels, "seed \(seed)")
            #expect(keys.map(\.type) == types, "seed \(seed)")
        }
    }

    // MARK: Bad input

    @Test func everyTruncationIsRefused() {
        for bytes in [oneTime, manyTimes] {
            for length in 0..<bytes.count {
                #expect(throws: DecodingFailure.self, "\(length) of \(bytes.count) bytes") { try decode(Array(bytes[..<length])) }
            }
        }
        let section = SamplesRecordTests.section.bytes
        for length in 0..<section.count {
            #expect(throws: DecodingFailure.self, "\(length) of \(section.count) bytes") {
                try section[..<length].withUnsafeBytes { try SeriesSection.decode($0) }
            }
        }
    }

    @Test func moreBytesAreRefused() {
        for bytes in [oneTime, manyTimes] {
            #expect(throws: DecodingFailure.self) { try decode(bytes + [0]) }
        }
    }

    @Test func otherMagicAndVersionsAreNamed() {
        var bytes = oneTime
        bytes[0] = 0xA2
        #expect(#expect(throws: DecodingFailure.self) { try decode(bytes) }?.message == "not a samples record")
        bytes = oneTime
        bytes[1] = 9
        #expect(#expect(throws: DecodingFailure.self) { try decode(bytes) }?.message.contains("version 9") == true)
    }

    /// Counts that claim more than the record holds must not make the reader allocate.
    @Test(
        arguments: [
            [0xFF, 0xFF, 0xFF, 0xFF, 0x0F], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
            [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
        ] as [[UInt8]])
    func hostileCountsAreRefused(count: [UInt8]) {
        let sectionLength = SamplesRecordTests.section.bytes.count
        // magic, version, flags, source, watermark, section hash
        let fixed = 3 + 3 * 8
        let lengthOfSection = Array(manyTimes[..<fixed]) + count + Array(manyTimes[(fixed + 1)...])
        #expect(throws: DecodingFailure.self) { try decode(lengthOfSection) }
        let afterSection = fixed + 1 + sectionLength
        let numberOfSeries = Array(manyTimes[..<afterSection]) + count + Array(manyTimes[(afterSection + 1)...])
        #expect(throws: DecodingFailure.self) { try decode(numberOfSeries) }
        let samplesOfSeries = Array(manyTimes[...afterSection]) + count + Array(manyTimes[(afterSection + 2)...])
        #expect(throws: DecodingFailure.self) { try decode(samplesOfSeries) }
        let numberOfTexts = count + Array(SamplesRecordTests.section.bytes[1...])
        #expect(throws: DecodingFailure.self) { try numberOfTexts.withUnsafeBytes { try SeriesSection.decode($0) } }
    }

    /// A record without series costs few bytes, but each sample must be there: counts that add up to more than there is are refused.
    @Test func countsThatAddUpToTooMuchAreRefused() {
        var writer = ByteWriter()
        writer.bytes = Array(manyTimes[..<(3 + 3 * 8)])
        let section = SeriesSection([])
        writer.varint(section.bytes.count)
        writer.bytes += section.bytes
        writer.varint(2_000)
        for _ in 0..<2_000 { writer.varint(1_000) }
        writer.bytes += [UInt8](repeating: 0, count: 9_100)
        #expect(throws: DecodingFailure.self) { try decode(writer.bytes) }
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func damageIsSurvived(_ seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for good in [oneTime, manyTimes] {
            for _ in 0..<300 {
                var bytes = good
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                if let record = try? decode(bytes) {
                    #expect((record.counts?.reduce(0, +) ?? record.values.count) == record.values.count, "seed \(seed)")
                    _ = try? series(record, in: bytes)
                }
            }
        }
    }

    @Test func symbolsOutsideTheTableAreRefused() {
        // One text "a"; one series, a gauge with one label whose value is symbol 1.
        let bytes: [UInt8] = [1, 1, 0x61, 1, 1, 1, 0, 1]
        #expect(throws: DecodingFailure.self) { try bytes.withUnsafeBytes { try SeriesSection.decode($0) } }
        let type: [UInt8] = [1, 1, 0x61, 1, 7, 1, 0, 0]
        #expect(throws: DecodingFailure.self) { try type.withUnsafeBytes { try SeriesSection.decode($0) } }
        let utf8: [UInt8] = [1, 1, 0xFF, 1, 1, 1, 0, 0]
        #expect(throws: DecodingFailure.self) { try utf8.withUnsafeBytes { try SeriesSection.decode($0) } }
    }
}

private func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
}
