import TimeSeries

/// The series of a `samples` record, encoded once and reused while the set stays the same: a symbol table of texts, then each
/// series as pairs of indexes into it. docs/formats/samples.md.
package struct SeriesSection: Sendable {
    package let count: Int
    /// Hash of `bytes`: a reader that has seen it need not decode the section again.
    package let hash: UInt64
    package let bytes: [UInt8]

    package init(_ series: [(labels: LabelSet, type: MetricType)]) {
        var symbols: [ExactText: Int] = [:]
        var texts: [String] = []
        func index(_ text: String) -> Int {
            if let known = symbols[ExactText(text)] { return known }
            symbols[ExactText(text)] = texts.count
            texts.append(text)
            return texts.count - 1
        }
        var body = ByteWriter()
        body.varint(series.count)
        for (labels, type) in series {
            body.u8(type.rawValue)
            body.varint(labels.labels.count)
            for label in labels.labels {
                body.varint(index(label.name))
                body.varint(index(label.value))
            }
        }
        var writer = ByteWriter()
        writer.varint(texts.count)
        for text in texts { writer.text(text) }
        writer.bytes.append(contentsOf: body.bytes)
        bytes = writer.bytes
        count = series.count
        hash = Fingerprint(hashing: writer.bytes).high
    }

    /// Decodes the section's bytes.
    package static func decode(_ bytes: UnsafeRawBufferPointer) throws(DecodingFailure) -> [SeriesKey] {
        var reader = ByteReader(bytes)
        let textCount = try reader.count(ofAtLeast: 1)
        var texts: [String] = []
        texts.reserveCapacity(textCount)
        for _ in 0..<textCount { texts.append(try reader.text()) }
        let count = try reader.count(ofAtLeast: 2)
        var series: [SeriesKey] = []
        series.reserveCapacity(count)
        for _ in 0..<count {
            guard let type = MetricType(rawValue: try reader.u8()) else { throw reader.failure("unknown metric type") }
            let labelCount = try reader.count(ofAtLeast: 2)
            var labels: [Label] = []
            labels.reserveCapacity(labelCount)
            for _ in 0..<labelCount {
                let name = try reader.varint()
                let value = try reader.varint()
                guard name < texts.count, value < texts.count else { throw reader.failure("a label names no symbol") }
                labels.append(Label(texts[Int(name)], texts[Int(value)]))
            }
            series.append(SeriesKey(labels: LabelSet(labels), type: type))
        }
        if reader.remaining > 0 { throw reader.failure("more bytes after the section") }
        return series
    }
}
