import TimeSeries

/// Buffers that evaluations share; one for each thread.
package struct WindowScratch: Sendable {
    var chunk = ChunkBuffer()
    /// What is analysed of `chunk`, carried sample excluded; NaN where nothing is.
    var analysed: [Double] = []
    /// Times of `analysed`.
    var analysedTimes: [Milliseconds] = []
    /// What is analysed of a whole range, and its times.
    var gathered: [Double] = []
    var gatheredTimes: [Milliseconds] = []
    /// A copy to reorder.
    var ordering: [Double] = []

    package init() {}

    /// Fills `analysed` from `chunk`.
    mutating func analyse(isCounter: Bool) {
        let skip = chunk.hasCarry && chunk.count > 0 ? 1 : 0
        if !isCounter && skip == 0 {
            // The columns change places: nothing reads the chunk's any more.
            swap(&analysed, &chunk.values)
            swap(&analysedTimes, &chunk.times)
            return
        }
        analysed.removeAll(keepingCapacity: true)
        analysedTimes.removeAll(keepingCapacity: true)
        let count = chunk.count
        if count == 0 { return }
        analysedTimes.append(contentsOf: chunk.times[skip...])
        if !isCounter {
            analysed.append(contentsOf: chunk.values[skip...])
            return
        }
        analysed.append(contentsOf: repeatElement(.nan, count: count - skip))
        let shift = skip
        analysed.withUnsafeMutableBufferPointer { out in
            chunk.times.withUnsafeBufferPointer { times in
                chunk.values.withUnsafeBufferPointer { values in
                    for i in 1..<max(1, count) { out[i - shift] = counterRate(times[i - 1], values[i - 1], times[i], values[i]) }
                }
            }
        }
    }

    /// Summary of the analysed values with from < time <= to.
    func moments(from: Milliseconds, to: Milliseconds) -> Moments {
        let low = WindowScratch.firstIndex(after: from, in: analysedTimes)
        let high = WindowScratch.firstIndex(after: to, in: analysedTimes)
        if low >= high { return Moments() }
        return analysed.withUnsafeBufferPointer { Moments(of: UnsafeBufferPointer(rebasing: $0[low..<high])) }
    }

    /// Appends the analysed chunk's finite values in from < time <= to to what is gathered.
    mutating func gatherChunk(from: Milliseconds, to: Milliseconds) {
        let low = WindowScratch.firstIndex(after: from, in: analysedTimes)
        let high = WindowScratch.firstIndex(after: to, in: analysedTimes)
        if low >= high { return }
        let mark = gathered.count
        gathered.append(contentsOf: analysed[low..<high])
        gatheredTimes.append(contentsOf: analysedTimes[low..<high])
        // A sum that is finite has finite terms.
        if gathered[mark...].reduce(0, +).isFinite { return }
        var kept = mark
        for i in mark..<gathered.count where gathered[i].isFinite {
            gathered[kept] = gathered[i]
            gatheredTimes[kept] = gatheredTimes[i]
            kept += 1
        }
        gathered.removeLast(gathered.count - kept)
        gatheredTimes.removeLast(gatheredTimes.count - kept)
    }

    /// First index whose time is greater than `time`. O(log n).
    static func firstIndex(after time: Milliseconds, in times: [Milliseconds]) -> Int {
        var low = 0
        var high = times.count
        while low < high {
            let middle = (low + high) / 2
            if times[middle] <= time { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
