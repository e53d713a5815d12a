import TimeSeries

/// One value of the topic `samples`: samples of series of one shard from one source. docs/formats/samples.md has the picture.
///
/// Writers that send the same series again and again keep a `SeriesSection` and pay only for the columns.
package struct SamplesRecord: Sendable {
    package static let version: UInt8 = 1
    private static let magic: UInt8 = 0xA1
    private static let oneTimeFlag: UInt8 = 1

    /// Hash of the source's name: whose watermark this is.
    package var source: UInt64
    /// The source's promise: it will send no sample with a time at or before this one.
    package var watermark: Milliseconds
    package var sectionHash: UInt64
    /// Per series of the section, how many samples follow; nil means one each.
    package var counts: [Int]?
    /// One element if all samples share it, else one a sample, grouped by series.
    package var times: [Milliseconds]
    package var values: [Double]
    /// Where the section's bytes stand within the record.
    package var sectionRange: Range<Int>

    /// One sample of each series of the section, all at `time`: what a scrape gives.
    package static func encode(
        source: UInt64, watermark: Milliseconds, section: SeriesSection, time: Milliseconds, values: [Double]
    ) -> [UInt8] {
        var writer = header(source, watermark, section, flags: oneTimeFlag, reserve: values.count * 8)
        writer.fixed(time)
        writer.doubles(values)
        return writer.bytes
    }

    /// `counts[i]` samples of the section's series i, in order of time; columns grouped by series.
    package static func encode(
        source: UInt64, watermark: Milliseconds, section: SeriesSection, counts: [Int], times: [Milliseconds], values: [Double]
    ) -> [UInt8] {
        var writer = header(source, watermark, section, flags: 0, reserve: values.count * 11)
        for count in counts { writer.varint(count) }
        var last: Milliseconds = 0
        for time in times {
            writer.signed(time &- last)
            last = time
        }
        writer.doubles(values)
        return writer.bytes
    }

    private static func header(
        _ source: UInt64, _ watermark: Milliseconds, _ section: SeriesSection, flags: UInt8, reserve: Int
    ) -> ByteWriter {
        var writer = ByteWriter()
        writer.bytes.reserveCapacity(section.bytes.count + reserve + 48)
        writer.u8(magic)
        writer.u8(version)
        writer.u8(flags)
        writer.fixed(source)
        writer.fixed(watermark)
        writer.fixed(section.hash)
        writer.varint(section.bytes.count)
        writer.bytes.append(contentsOf: section.bytes)
        writer.varint(section.count)
        return writer
    }

    /// Decodes all but the section, which the caller looks up by its hash or decodes from `sectionRange`.
    package init(decoding bytes: UnsafeRawBufferPointer) throws(DecodingFailure) {
        var reader = ByteReader(bytes)
        guard try reader.u8() == SamplesRecord.magic else { throw DecodingFailure(offset: 0, message: "not a samples record") }
        let version = try reader.u8()
        guard version == SamplesRecord.version else {
            throw DecodingFailure(offset: 1, message: "version \(version) of the samples format is not known; update almanac")
        }
        let flags = try reader.u8()
        source = try reader.fixed(UInt64.self)
        watermark = try reader.fixed(Int64.self)
        sectionHash = try reader.fixed(UInt64.self)
        let sectionLength = try reader.count(ofAtLeast: 1)
        sectionRange = reader.at..<(reader.at + sectionLength)
        _ = try reader.slice(sectionLength)
        let series = try reader.count(ofAtLeast: flags & SamplesRecord.oneTimeFlag != 0 ? 8 : 1)
        if flags & SamplesRecord.oneTimeFlag != 0 {
            counts = nil
            times = [try reader.fixed(Int64.self)]
            values = try reader.doubles(series)
        } else {
            (counts, times) = try SamplesRecord.decodeColumns(&reader, series: series)
            values = try reader.doubles(times.count)
        }
        if reader.remaining > 0 { throw reader.failure("more bytes after the record") }
    }

    private static func decodeColumns(
        _ reader: inout ByteReader, series: Int
    ) throws(DecodingFailure) -> ([Int], [Milliseconds]) {
        var counts: [Int] = []
        counts.reserveCapacity(series)
        var total = 0
        for _ in 0..<series {
            let count = try reader.count(ofAtLeast: 9)
            counts.append(count)
            total += count
        }
        guard total <= reader.remaining / 9 else { throw reader.failure("\(total) samples do not fit the record") }
        var times: [Milliseconds] = []
        times.reserveCapacity(total)
        var last: Milliseconds = 0
        for _ in 0..<total {
            last = last &+ (try reader.signed())
            times.append(last)
        }
        return (counts, times)
    }
}
