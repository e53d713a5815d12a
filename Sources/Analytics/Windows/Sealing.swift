import TimeSeries

/// A chunk that has just been sealed: what travels and rests.
package struct SealedOutput: Sendable {
    package var start: Milliseconds
    package var end: Milliseconds
    /// Raw samples.
    package var count: Int
    package var moments: Moments
    package var data: [UInt8]
}

extension SampleHistory {
    /// Start of the chunk that holds `time`: chunks are (start, start + span].
    package static func chunkStart(of time: Milliseconds, span: Milliseconds) -> Milliseconds { boundary(before: time - 1, span: span) }

    /// The last multiple of `span` at or before `time`.
    private static func boundary(before time: Milliseconds, span: Milliseconds) -> Milliseconds {
        let rest = time % span
        return time - (rest < 0 ? rest + span : rest)
    }

    /// Seals every chunk that ends at or before `time`. Ranges without a sample give no chunk; with `keepsGaps` they also stay open to what comes
    /// later. O(samples sealed).
    package mutating func seal(through time: Milliseconds, span: Milliseconds, keepsGaps: Bool = false) -> [SealedOutput] {
        let boundary = SampleHistory.boundary(before: time, span: span)
        guard boundary > sealedThrough else { return [] }
        var outputs: [SealedOutput] = []
        var from = 0
        while from < headTimes.count, headTime(from) <= boundary {
            let start = SampleHistory.chunkStart(of: headTime(from), span: span)
            var to = from
            while to < headTimes.count, headTime(to) <= start + span { to += 1 }
            outputs.append(sealHead(from..<to, start: start, end: start + span))
            from = to
        }
        if !keepsGaps { sealedThrough = boundary } else if let last = outputs.last { sealedThrough = last.end }
        if from > 0 { dropHead(from) }
        return outputs
    }

    private mutating func sealHead(_ range: Range<Int>, start: Milliseconds, end: Milliseconds) -> SealedOutput {
        var times: [Milliseconds] = []
        var values: [Double] = []
        times.reserveCapacity(range.count + 1)
        values.reserveCapacity(range.count + 1)
        // The sample before the chunk lets a counter's first rate be computed from the chunk alone.
        let beforeTime = range.lowerBound > 0 ? headTime(range.lowerBound - 1) : carryTime
        let beforeValue = range.lowerBound > 0 ? headValues[range.lowerBound - 1] : carryValue
        let carry = isCounter && beforeTime != .min && !StaleMarker.isStale(beforeValue)
        if carry {
            times.append(beforeTime)
            values.append(beforeValue)
        }
        for i in range {
            times.append(headTime(i))
            values.append(headValues[i])
        }
        let data = ChunkCodec.encode(times: times, values: values, carry: carry)
        var analysed: [Double] = []
        analysed.reserveCapacity(range.count)
        for i in range { analysed.append(self.analysed(i)) }
        let moments = analysed.withUnsafeBufferPointer { Moments(of: $0) }
        adopt(start: start, end: end, moments: moments, data: data)
        return SealedOutput(start: start, end: end, count: range.count, moments: moments, data: data)
    }

    private mutating func adopt(start: Milliseconds, end: Milliseconds, moments: Moments, data bytes: [UInt8]) {
        if data.count + bytes.count > data.capacity { data.reserveCapacity(data.count + bytes.count + 128) }
        if sealed.count == sealed.capacity { sealed.reserveCapacity(sealed.count + 4) }
        sealed.append(SealedChunk(start: start, end: end, byteOffset: data.count, moments: moments))
        data.append(contentsOf: bytes)
    }

    private mutating func dropHead(_ count: Int) {
        carryTime = headTime(count - 1)
        carryValue = headValues[count - 1]
        let base = headTimes.count > count ? headTime(count) : headBase
        let shift = base - headBase
        // New arrays, so that the capacity of a long head (after a backfill) is given back.
        headTimes = headTimes[count...].map { Int32(clamping: Int64($0) - shift) }
        headValues = Array(headValues[count...])
        headBase = base
        unfold()
    }

    /// Takes over a chunk that was sealed by an earlier owner; chunks come in order of time. One at or before `sealedThrough` is ignored.
    /// Throws `ChunkError` for bytes that are no chunk. O(samples).
    package mutating func restore(
        start: Milliseconds, end: Milliseconds, data bytes: [UInt8], scratch: inout WindowScratch
    ) throws(ChunkError) {
        if start < sealedThrough { return }
        try bytes.withUnsafeBufferPointer { (elements) throws(ChunkError) in
            let raw = UnsafeRawBufferPointer(elements)
            try ChunkCodec.verify(raw)
            try ChunkCodec.decode(raw, into: &scratch.chunk)
        }
        if let time = scratch.chunk.times.last, let value = scratch.chunk.values.last {
            carryTime = time
            carryValue = value
        }
        scratch.analyse(isCounter: isCounter)
        let moments = scratch.analysed.withUnsafeBufferPointer { Moments(of: $0) }
        adopt(start: start, end: end, moments: moments, data: bytes)
        sealedThrough = end
    }

    /// Says that everything through `time` was sealed by an earlier owner, whether or not there was a sample.
    package mutating func markSealed(through time: Milliseconds) { sealedThrough = max(sealedThrough, time) }

    /// Forgets sealed chunks that end at or before `time`. O(bytes held).
    package mutating func expire(before time: Milliseconds) {
        var count = 0
        while count < sealed.count, sealed[count].end <= time { count += 1 }
        if count == 0 { return }
        let bytes = count < sealed.count ? Int(sealed[count].byteOffset) : data.count
        data = Array(data[bytes...])
        sealed = Array(sealed[count...])
        for i in sealed.indices { sealed[i].byteOffset -= UInt32(bytes) }
    }

    /// Forgets what lies after `time`: the clock was ahead when it came, and what really comes now must find room.
    package mutating func forget(after time: Milliseconds) {
        let kept = sealed.prefix { $0.end <= time }.count
        if kept < sealed.count {
            data.removeSubrange(Int(sealed[kept].byteOffset)...)
            sealed.removeSubrange(kept...)
            carryTime = .min
            carryValue = .nan
        }
        let open = headTimes.prefix { headBase + Milliseconds($0) <= time }.count
        headTimes.removeSubrange(open...)
        headValues.removeSubrange(open...)
        unfold()
        if sealedThrough > time { sealedThrough = sealed.last?.end ?? .min }
    }

    /// Takes the series for a counter, or for none, from now on; what is held is analysed anew. A chunk that was sealed as a gauge has no rate for its
    /// first sample. O(samples).
    package mutating func reinterpret(asCounter isCounter: Bool, scratch: inout WindowScratch) {
        if isCounter == self.isCounter { return }
        self.isCounter = isCounter
        unfold()
        for index in sealed.indices {
            decode(index, &scratch)
            let moments = scratch.analysed.withUnsafeBufferPointer { Moments(of: $0) }
            let old = sealed[index]
            sealed[index] = SealedChunk(start: old.start, end: old.end, byteOffset: Int(old.byteOffset), moments: moments)
        }
    }

    func bytes(of index: Int) -> Range<Int> {
        let end = index + 1 < sealed.count ? Int(sealed[index + 1].byteOffset) : data.count
        return Int(sealed[index].byteOffset)..<end
    }
}
