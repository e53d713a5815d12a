import TimeSeries

/// One value of the topic `chunks` beside the chunks: model states of series of one shard. docs/formats/chunks.md.
package enum ModelStatesRecord {
    package static let version: UInt8 = 1
    private static let magic: UInt8 = 0xA3
    /// A new value is begun past this many bytes.
    private static let targetBytes = 192 * 1024

    /// Whether the bytes begin as such a value does.
    package static func isOne(_ bytes: [UInt8]) -> Bool { bytes.first == magic }

    package static func encode(_ states: [ModelStateResult]) -> [[UInt8]] {
        var values: [[UInt8]] = []
        var at = 0
        while at < states.count {
            var body = ByteWriter()
            var count = 0
            repeat {
                encode(states[at], into: &body)
                count += 1
                at += 1
            } while at < states.count && body.bytes.count < targetBytes
            var writer = ByteWriter()
            writer.u8(magic)
            writer.u8(version)
            writer.varint(count)
            writer.bytes.append(contentsOf: body.bytes)
            values.append(writer.bytes)
        }
        return values
    }

    private static func encode(_ state: ModelStateResult, into writer: inout ByteWriter) {
        SeriesKeyCoding.encode(state.series, into: &writer)
        writer.signed(state.time)
        writer.fixed(state.revision.rawValue)
        writer.varint(state.data.count)
        writer.bytes.append(contentsOf: state.data)
    }

    package static func decode(_ bytes: [UInt8]) throws(RecordError) -> [ModelStateResult] {
        do {
            return try bytes.withUnsafeBytes { (raw) throws(DecodingFailure) in try decode(raw) }
        } catch {
            throw RecordError("\(error)")
        }
    }

    private static func decode(_ raw: UnsafeRawBufferPointer) throws(DecodingFailure) -> [ModelStateResult] {
        var reader = ByteReader(raw)
        guard try reader.u8() == magic else { throw DecodingFailure(offset: 0, message: "not a record of model states") }
        let version = try reader.u8()
        guard version == ModelStatesRecord.version else {
            throw DecodingFailure(offset: 1, message: "version \(version) of the model states format is not known; update almanac")
        }
        let count = try reader.count(ofAtLeast: 28)
        var states: [ModelStateResult] = []
        states.reserveCapacity(count)
        for _ in 0..<count {
            let series = try SeriesKeyCoding.decode(&reader)
            let time = try reader.signed()
            let revision = Revision(rawValue: try reader.fixed(Int64.self))
            let size = try reader.count(ofAtLeast: 1)
            states.append(ModelStateResult(series: series, time: time, revision: revision, data: Array(try reader.slice(size))))
        }
        if reader.remaining > 0 { throw reader.failure("more bytes after the model states") }
        return states
    }
}

/// A series with all its labels, as the binary records carry it.
enum SeriesKeyCoding {
    static func encode(_ series: SeriesKey, into writer: inout ByteWriter) {
        writer.fixed(series.id.high)
        writer.fixed(series.id.low)
        writer.u8(series.type.rawValue)
        writer.varint(series.labels.labels.count)
        for label in series.labels.labels {
            writer.text(label.name)
            writer.text(label.value)
        }
    }

    static func decode(_ reader: inout ByteReader) throws(DecodingFailure) -> SeriesKey {
        let id = Fingerprint(high: try reader.fixed(UInt64.self), low: try reader.fixed(UInt64.self))
        guard let type = MetricType(rawValue: try reader.u8()) else { throw reader.failure("unknown metric type") }
        var labels: [Label] = []
        for _ in 0..<(try reader.count(ofAtLeast: 2)) { labels.append(Label(try reader.text(), try reader.text())) }
        return SeriesKey(labels: LabelSet(labels), type: type, id: id)
    }
}
