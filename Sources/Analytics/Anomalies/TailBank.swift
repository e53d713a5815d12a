import Glibc

func logarithm10(_ x: Double) -> Double { log10(x) }

/// Upper tails of several statistics, each known by its greatest values and a count.
///
/// The p-value of a value above the smallest one kept is that of a generalised Pareto tail over it (peaks over threshold; Siffer et al.
/// 2017, "Anomaly Detection in Streams with Extreme Value Theory"), fitted by moments and shrunk to a heavy-tailed prior because so few
/// peaks are kept. Below it, the value is none of the greatest and says nothing. Repeated values of one size fill the ranks: what has
/// come often surprises no more. Nothing is assumed of the distribution's body.
struct TailBank: Sendable, Equatable {
    /// Values kept of each tail.
    static let depth = 12
    /// At this count every second peak, the greatest first, and half of the count are dropped: what is older weighs ever less, and a single
    /// wild sample does not set the tail for good.
    static let forgetting: Int32 = 32_768
    /// The greatest surprise given, and the greatest in logarithms of the count: a p-value below 1/n^2 cannot be known from n samples.
    static let ceiling = 10.0
    static let ceilingPerLogCount = 2.0
    /// A run of peaks ends after this many samples without one.
    static let runGap: UInt8 = 20
    private static let priorShape = 0.3
    private static let priorWeight = 16.0

    /// Tail by tail, in falling order.
    var peaks: [Float]
    var filled: [UInt8]
    var counts: [Int32]
    /// Of the run under way: samples since its beginning, since its last peak, and the greatest one. Saturated: none.
    var runAges: [UInt8]
    var runGaps: [UInt8]
    var runPeaks: [Float]

    init(tails: Int) {
        peaks = [Float](repeating: 0, count: tails * Self.depth)
        filled = [UInt8](repeating: 0, count: tails)
        counts = [Int32](repeating: 0, count: tails)
        runAges = [UInt8](repeating: .max, count: tails)
        runGaps = [UInt8](repeating: .max, count: tails)
        runPeaks = [Float](repeating: 0, count: tails)
    }

    /// -log10 of the p-value of `value` among those before it, which it then joins. O(1) for nearly all values, O(depth) for one among
    /// the greatest.
    /// - Parameters:
    ///   - scale: the least scale of the tail's excess.
    ///   - runLength: for so many samples the peaks of one run count once (runs declustering), so that what builds up slowly is not
    ///   compared with its own beginning; 255: as long as it lasts. What lasts longer is taken in sample by sample and is soon the usual.
    mutating func judge(_ tail: Int, _ value: Double, scale: Double, runLength: UInt8 = 0) -> Double {
        let first = tail * Self.depth
        var kept = Int(filled[tail])
        let x = Float(value)
        guard x.isFinite else { return 0 }
        counts[tail] += 1
        if counts[tail] >= Self.forgetting { kept = thin(tail, first) }
        if runAges[tail] < .max { runAges[tail] += 1 }
        if runGaps[tail] < .max { runGaps[tail] += 1 }
        guard kept == Self.depth else {
            insert(x, tail, first, kept)
            return 0
        }
        guard x > peaks[first + kept - 1] else { return 0 }
        return judgePeak(tail, first, x, scale: scale, runLength: runLength)
    }

    private mutating func judgePeak(_ tail: Int, _ first: Int, _ x: Float, scale: Double, runLength: UInt8) -> Double {
        let isSameRun = runGaps[tail] <= Self.runGap
        if !isSameRun { runAges[tail] = 0 }
        runGaps[tail] = 0
        var greatest = x
        if isSameRun, runAges[tail] <= runLength, remove(runPeaks[tail], tail, first) { greatest = max(x, runPeaks[tail]) }
        let kept = Int(filled[tail])
        let surprise = surprise(Double(x), first, kept, count: Double(counts[tail] - 1), scale: scale)
        insert(greatest, tail, first, kept)
        runPeaks[tail] = greatest
        return surprise
    }

    private mutating func remove(_ peak: Float, _ tail: Int, _ first: Int) -> Bool {
        let end = first + Int(filled[tail])
        guard var at = (first..<end).first(where: { peaks[$0] == peak }) else { return false }
        while at + 1 < end {
            peaks[at] = peaks[at + 1]
            at += 1
        }
        filled[tail] -= 1
        return true
    }

    private func surprise(_ value: Double, _ first: Int, _ kept: Int, count: Double, scale: Double) -> Double {
        let base = Double(peaks[first + kept - 1])
        guard value > base else { return 0 }
        var sum = 0.0
        var squares = 0.0
        for i in first..<(first + kept - 1) {
            let excess = Double(peaks[i]) - base
            sum += excess
            squares += excess * excess
        }
        let mean = sum / Double(kept - 1)
        let variance = squares / Double(kept - 1) - mean * mean
        let fitted = variance > 0 ? min(max(0.5 * (1 - mean * mean / variance), -0.2), 0.5) : 0
        let shape = max((Double(kept) * fitted + Self.priorWeight * Self.priorShape) / (Double(kept) + Self.priorWeight), 0.02)
        let spread = max(mean * (1 - shape), scale)
        let ceiling = min(Self.ceiling, Self.ceilingPerLogCount * log10(max(count, 1)))
        guard spread > 0 else { return ceiling }
        let rank = log10(max(count / Double(kept), 1))
        return min(rank + log10(1 + shape * (value - base) / spread) / shape, ceiling)
    }

    private mutating func insert(_ x: Float, _ tail: Int, _ first: Int, _ kept: Int) {
        var at = first + kept
        if kept < Self.depth { filled[tail] += 1 } else { at -= 1 }
        while at > first, peaks[at - 1] < x {
            peaks[at] = peaks[at - 1]
            at -= 1
        }
        peaks[at] = x
    }

    private mutating func thin(_ tail: Int, _ first: Int) -> Int {
        let kept = Int(filled[tail]) / 2
        for i in 0..<kept { peaks[first + i] = peaks[first + 2 * i + 1] }
        filled[tail] = UInt8(kept)
        counts[tail] /= 2
        return kept
    }
}
