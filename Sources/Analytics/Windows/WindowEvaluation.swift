import TimeSeries

/// The quantiles that a window reports.
package struct WindowQuantiles: Sendable, Equatable {
    package var p50: Double
    package var p95: Double
    package var p99: Double
}

extension SampleHistory {
    /// Summaries over (t - w, t] for each window w, shortest first; into `results`, one a window.
    ///
    /// Merges the summaries of whole chunks from the newest to the oldest, once for all windows, and decodes only the chunks that a window's
    /// left edge cuts. O(chunks + windows x samples of a chunk). Equal to the batch answer: min, max and count exactly, mean to 1e-12,
    /// deviation to 1e-9 relative.
    package mutating func evaluate(
        at t: Milliseconds, windows: [Milliseconds], scratch: inout WindowScratch, into results: inout [Moments]
    ) {
        results.removeAll(keepingCapacity: true)
        if t < sealedThrough {
            for window in windows { results.append(slowMoments(from: t - window, to: t, scratch: &scratch)) }
            return
        }
        var sum = headMoments(to: t)
        let openFrom = headTimes.isEmpty ? Milliseconds.max : headTime(0)
        var next = 0
        // Windows that begin within the head.
        while next < windows.count, t - windows[next] >= openFrom {
            results.append(scannedHead(from: t - windows[next], to: t))
            next += 1
        }
        var index = sealed.count - 1
        while index >= 0, next < windows.count {
            let chunk = sealed[index]
            var isDecoded = false
            while next < windows.count, t - windows[next] >= chunk.start {
                var result = sum
                let left = t - windows[next]
                if left == chunk.start {
                    result.merge(chunk.moments)
                } else if left < chunk.end {
                    if !isDecoded {
                        // Of all windows that begin in this chunk the longest begins first.
                        let longest = windows[next...].last { t - $0 >= chunk.start } ?? windows[next]
                        decode(index, after: t - longest, &scratch)
                    }
                    isDecoded = true
                    result.merge(scratch.moments(from: left, to: chunk.end))
                }
                results.append(result)
                next += 1
            }
            if next < windows.count { sum.merge(chunk.moments) }
            index -= 1
        }
        while results.count < windows.count { results.append(sum) }
    }

    /// Summary of the head's samples up to `t`; adds only what came since the last evaluation.
    private mutating func headMoments(to t: Milliseconds) -> Moments {
        if foldedCount > 0, headTime(foldedCount - 1) > t {
            return scannedHead(from: .min, to: t)
        }
        while foldedCount < headTimes.count, headTime(foldedCount) <= t {
            let value = analysed(foldedCount)
            if value.isFinite { folded.add(value) }
            foldedCount += 1
        }
        return folded
    }

    private func scannedHead(from: Milliseconds, to: Milliseconds) -> Moments {
        var moments = Moments()
        for i in headTimes.indices {
            let time = headTime(i)
            if time > to { break }
            if time <= from { continue }
            let value = analysed(i)
            if value.isFinite { moments.add(value) }
        }
        return moments
    }

    /// Any range, for times at which part of what is sealed lies in the future: evaluations that catch up.
    private func slowMoments(from: Milliseconds, to: Milliseconds, scratch: inout WindowScratch) -> Moments {
        var moments = scannedHead(from: from, to: to)
        for index in sealed.indices where sealed[index].end > from && sealed[index].start < to {
            if sealed[index].start >= from && sealed[index].end <= to {
                moments.merge(sealed[index].moments)
            } else {
                decode(index, &scratch)
                moments.merge(scratch.moments(from: from, to: to))
            }
        }
        return moments
    }

    func decode(_ index: Int, after: Milliseconds = .min, _ scratch: inout WindowScratch) {
        let range = bytes(of: index)
        data.withUnsafeBytes { raw in
            // The bytes were made or verified by this process; an error cannot come, and would leave an empty chunk.
            try? ChunkCodec.decode(UnsafeRawBufferPointer(rebasing: raw[range]), into: &scratch.chunk, after: after)
        }
        scratch.analyse(isCounter: isCounter)
    }

    /// What is analysed, with its times, in from < time <= to, oldest first. Finite values only. O(samples).
    package func analysedSamples(
        from: Milliseconds, to: Milliseconds, scratch: inout WindowScratch
    ) -> (times: [Milliseconds], values: [Double]) {
        gather(from: from, to: to, &scratch)
        return (scratch.gatheredTimes, scratch.gathered)
    }

    private func gather(from: Milliseconds, to: Milliseconds, _ scratch: inout WindowScratch) {
        scratch.gatheredTimes.removeAll(keepingCapacity: true)
        scratch.gathered.removeAll(keepingCapacity: true)
        for index in sealed.indices where sealed[index].end > from && sealed[index].start < to {
            decode(index, &scratch)
            scratch.gatherChunk(from: from, to: to)
        }
        for i in headIndex(after: from)..<headTimes.count {
            let time = headTime(i)
            if time > to { break }
            let value = analysed(i)
            if value.isFinite {
                scratch.gatheredTimes.append(time)
                scratch.gathered.append(value)
            }
        }
    }

    /// The first open sample later than `time`. O(log head).
    private func headIndex(after time: Milliseconds) -> Int {
        var low = 0
        var high = headTimes.count
        while low < high {
            let middle = (low + high) / 2
            if headTime(middle) > time { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Exact quantiles over (t - w, t] for each window, shortest first; nil for an empty window. Linear interpolation between order statistics
    /// at rank q (n - 1), as Prometheus' `quantile_over_time`. `moments` are those of the same evaluation: a constant window needs no
    /// sample. O(samples of the longest window).
    package func quantiles(
        at t: Milliseconds, windows: [Milliseconds], moments: [Moments], scratch: inout WindowScratch
    ) -> [WindowQuantiles?] {
        guard let longest = windows.indices.last(where: { moments[$0].count > 0 && moments[$0].min < moments[$0].max }) else {
            return moments.map { $0.count > 0 ? WindowQuantiles(p50: $0.min, p95: $0.min, p99: $0.min) : nil }
        }
        gather(from: t - windows[longest], to: t, &scratch)
        return windows.indices.map { w in
            if moments[w].count == 0 { return nil }
            if moments[w].min == moments[w].max {
                return WindowQuantiles(p50: moments[w].min, p95: moments[w].min, p99: moments[w].min)
            }
            let first = WindowScratch.firstIndex(after: t - windows[w], in: scratch.gatheredTimes)
            scratch.ordering.removeAll(keepingCapacity: true)
            scratch.ordering.append(contentsOf: scratch.gathered[first...])
            return scratch.ordering.withUnsafeMutableBufferPointer { WindowQuantiles(ordering: $0) }
        }
    }
}

extension WindowQuantiles {
    /// From at least one value, which it reorders. From the top down: each selection leaves the greater values behind it.
    fileprivate init?(ordering values: UnsafeMutableBufferPointer<Double>) {
        if values.isEmpty { return nil }
        let p99 = interpolatedQuantile(0.99, values, upTo: values.count)
        let p95 = interpolatedQuantile(0.95, values, upTo: p99.rank + 1)
        let p50 = interpolatedQuantile(0.5, values, upTo: p95.rank + 1)
        self.init(p50: p50.value, p95: p95.value, p99: p99.value)
    }
}

/// Quantile q of all of `values` (count n), whose elements at and past `upTo` are known to be no smaller than those before.
private func interpolatedQuantile(
    _ q: Double, _ values: UnsafeMutableBufferPointer<Double>, upTo: Int
) -> (value: Double, rank: Int) {
    let position = q * Double(values.count - 1)
    let rank = Int(position)
    let end = min(upTo, values.count)
    selectRank(rank, UnsafeMutableBufferPointer(rebasing: values[..<end]))
    let low = values[rank]
    let fraction = position - Double(rank)
    guard fraction > 0, rank + 1 < values.count else { return (low, rank) }
    var next = Double.infinity
    for i in (rank + 1)..<(rank + 1 < end ? end : values.count) where values[i] < next { next = values[i] }
    return (low + (next - low) * fraction, rank)
}

/// Hoare's selection: afterwards element `rank` stands where sorting would put it, smaller ones before, greater ones behind. O(n) on average,
/// median of three as pivot.
func selectRank(_ rank: Int, _ values: UnsafeMutableBufferPointer<Double>) {
    var low = 0
    var high = values.count - 1
    while low < high {
        let middle = low + (high - low) / 2
        let a = values[low]
        let b = values[middle]
        let c = values[high]
        let pivot = max(min(a, b), min(max(a, b), c))
        var i = low
        var j = high
        while i <= j {
            while values[i] < pivot { i += 1 }
            while values[j] > pivot { j -= 1 }
            if i <= j {
                values.swapAt(i, j)
                i += 1
                j -= 1
            }
        }
        if rank <= j {
            high = j
        } else if rank >= i {
            low = i
        } else {
            return
        }
    }
}
