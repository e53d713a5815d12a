import TimeSeries

/// One value of the topic `chunks`: sealed chunks of series of one shard. docs/formats/chunks.md.
package enum ChunksRecord {
    package static let version: UInt8 = 1
    private static let magic: UInt8 = 0xA2
    /// A new value is begun past this many bytes.
    private static let targetBytes = 192 * 1024

    package static func encode(_ chunks: [ChunkResult]) -> [[UInt8]] {
        var values: [[UInt8]] = []
        var at = 0
        while at < chunks.count {
            var body = ByteWriter()
            var count = 0
            repeat {
                encode(chunks[at], into: &body)
                count += 1
                at += 1
            } while at < chunks.count && body.bytes.count < targetBytes
            var writer = ByteWriter()
            writer.u8(magic)
            writer.u8(version)
            writer.varint(count)
            writer.bytes.append(contentsOf: body.bytes)
            values.append(writer.bytes)
        }
        return values
    }

    private static func encode(_ chunk: ChunkResult, into writer: inout ByteWriter) {
        SeriesKeyCoding.encode(chunk.series, into: &writer)
        writer.signed(chunk.start)
        writer.signed(chunk.end - chunk.start)
        writer.fixed(chunk.revision.rawValue)
        writer.signed(chunk.replayOffset)
        writer.varint(chunk.count)
        writer.varint(chunk.moments.count)
        let moments = chunk.moments
        for value in [moments.min, moments.max, moments.reference, moments.offset, moments.m2] { writer.double(value) }
        writer.varint(chunk.data.count)
        writer.bytes.append(contentsOf: chunk.data)
    }

    package static func decode(_ bytes: [UInt8]) throws(RecordError) -> [ChunkResult] {
        do {
            return try bytes.withUnsafeBytes { (raw) throws(DecodingFailure) in try decode(raw) }
        } catch {
            throw RecordError("\(error)")
        }
    }

    private static func decode(_ raw: UnsafeRawBufferPointer) throws(DecodingFailure) -> [ChunkResult] {
        var reader = ByteReader(raw)
        guard try reader.u8() == magic else { throw DecodingFailure(offset: 0, message: "not a chunks record") }
        let version = try reader.u8()
        guard version == ChunksRecord.version else {
            throw DecodingFailure(offset: 1, message: "version \(version) of the chunks format is not known; update almanac")
        }
        let count = try reader.count(ofAtLeast: 60)
        var chunks: [ChunkResult] = []
        chunks.reserveCapacity(count)
        for _ in 0..<count { chunks.append(try decodeChunk(&reader)) }
        if reader.remaining > 0 { throw reader.failure("more bytes after the chunks") }
        return chunks
    }

    private static func decodeChunk(_ reader: inout ByteReader) throws(DecodingFailure) -> ChunkResult {
        let series = try SeriesKeyCoding.decode(&reader)
        let start = try reader.signed()
        let length = try reader.signed()
        let (end, overflow) = start.addingReportingOverflow(length)
        if overflow || length < 0 { throw reader.failure("a chunk ends before it starts") }
        let revision = Revision(rawValue: try reader.fixed(Int64.self))
        let replayOffset = try reader.signed()
        let samples = try reader.varint()
        let analysed = try reader.varint()
        guard samples <= UInt32.max, analysed <= UInt32.max else { throw reader.failure("a chunk's count is too large") }
        var moments = Moments()
        moments.count = Int(analysed)
        moments.min = try reader.double()
        moments.max = try reader.double()
        moments.reference = try reader.double()
        moments.offset = try reader.double()
        moments.m2 = try reader.double()
        let size = try reader.count(ofAtLeast: 1)
        let data = Array(try reader.slice(size))
        return ChunkResult(
            series: series, start: start, end: end, revision: revision,
            count: Int(samples), replayOffset: replayOffset, moments: moments, data: data)
    }
}
