import TimeSeries

/// The samples of one chunk after the other, without the one that a chunk carries from before.
struct ChunkSamples {
    private var buffer = ChunkBuffer()

    /// Throws `ChunkError` where its checksum or form is wrong.
    mutating func decode(_ chunk: [UInt8]) throws(ChunkError) {
        try chunk.withUnsafeBufferPointer { (elements) throws(ChunkError) in
            let raw = UnsafeRawBufferPointer(elements)
            try ChunkCodec.verify(raw)
            try ChunkCodec.decode(raw, into: &buffer)
        }
    }

    /// Of the chunk that was decoded last.
    func withSamples<E: Error>(
        _ body: (UnsafeBufferPointer<Milliseconds>, UnsafeBufferPointer<Double>) throws(E) -> Void
    ) throws(E) {
        let skip = buffer.hasCarry && buffer.count > 0 ? 1 : 0
        try buffer.times.withUnsafeBufferPointer { (times) throws(E) in
            try buffer.values.withUnsafeBufferPointer { (values) throws(E) in
                try body(UnsafeBufferPointer(rebasing: times[skip...]), UnsafeBufferPointer(rebasing: values[skip...]))
            }
        }
    }
}
