import NIOCore

/// How fast frames are made and read, without a server: rows a second on one core.
package enum CassandraBenchmarks {
    package struct Figure: Sendable {
        package var name: String
        package var value: Double
        package var unit: String
    }

    package static func run(rows: Int = 2_000_000) throws -> [Figure] {
        [
            Figure(name: "cassandra rows encoded, one EXECUTE each", value: try encode(rows, perBatch: 1), unit: "rows/s"),
            Figure(name: "cassandra rows encoded, batches of 50", value: try encode(rows, perBatch: 50), unit: "rows/s"),
            Figure(name: "cassandra rows decoded", value: try decode(rows), unit: "rows/s"),
        ]
    }

    private static let id = (0..<16).map { UInt8($0) }

    /// The values of a row of statistics: series, day, time, window, count and seven numbers.
    private static func values(_ i: Int) -> BoundValues {
        var values = BoundValues(capacity: 160)
        values.append("0123456789abcdef0123456789abcdef")
        values.append(Int32(20_000))
        values.append(Int64(i))
        values.append(Int64(3_600_000))
        values.append(Int64(240))
        for k in 0..<7 { values.append(Double(i + k)) }
        return values
    }

    private static func encode(_ rows: Int, perBatch: Int) throws -> Double {
        var frames = ByteBuffer()
        var segments = ByteBuffer()
        var bytes = 0
        let start = Clock.now()
        var done = 0
        while done < rows {
            if perBatch == 1 {
                var parameters = QueryParameters()
                parameters.values = values(done)
                parameters.timestamp = Int64(done)
                try Request.execute(id: id, metadataID: id, parameters).write(into: &frames, .v5, stream: Int16(done & 0x3FF))
            } else {
                let items = (0..<perBatch).map { BatchItem(statement: .prepared(id), values: values(done + $0)) }
                try Request.batch(.unlogged, items, BatchParameters(consistency: .localQuorum)).write(into: &frames, .v5, stream: 1)
            }
            done += perBatch
            if frames.readableBytes > 60_000 {
                Segment.wrap(frames, into: &segments)
                bytes += segments.readableBytes
                frames.clear()
                segments.clear()
            }
        }
        return rate(done, start, bytes)
    }

    private static func decode(_ rows: Int) throws -> Double {
        let page = 5000
        var body = ByteBuffer()
        body.writeMultipleIntegers(Int32(2), Int32(0x04), Int32(12), Int32(page))
        for i in 0..<page { body.writeBytes(values(i).bytes) }
        var frame = ByteBuffer()
        frame.writeMultipleIntegers(UInt8(0x85), UInt8(0), Int16(1), Opcode.result.rawValue, UInt32(body.readableBytes))
        frame.writeImmutableBuffer(body)
        var segments = ByteBuffer()
        Segment.wrap(frame, into: &segments)
        let types: [CQLType] = [.text, .int, .timestamp, .bigint, .bigint] + Array(repeating: .double, count: 7)
        let columns = types.enumerated().map { CQLColumn(keyspace: "k", table: "t", name: "c\($0.offset)", type: $0.element) }
        var sum = 0.0
        var done = 0
        let start = Clock.now()
        while done < rows {
            var decoder = FrameDecoder(maximumFrame: 64 << 20)
            decoder.beginSegments()
            decoder.append(segments)
            guard let (header, body) = try decoder.next() else { break }
            let response = try Response(header, version: .v5, body: body)
            guard case .rows(let rows, _) = try ResultMessage.read(response, columns: columns) else { break }
            var reader = rows.reader()
            while try reader.next() {
                sum += Double(try reader.int64(2) ?? 0)
                sum += Double(try reader.int32(1) ?? 0) + Double(try reader.int64(3) ?? 0) + Double(try reader.int64(4) ?? 0)
                for k in 5..<12 { sum += try reader.double(k) ?? 0 }
            }
            done += rows.count
        }
        return rate(done, start, Int(sum.rounded(.towardZero).exponent))
    }

    private static func rate(_ rows: Int, _ start: Int64, _ result: Int) -> Double {
        // The result is used, so that nothing is left out.
        Double(rows) / (Double(max(1, Clock.now() - start + Int64(result & 0))) / 1000)
    }
}
