import TimeSeries

/// What became of a sample that was offered to a `SampleHistory`.
package enum AppendOutcome: Sendable, Equatable {
    /// Newer than all before.
    case appended
    /// Older than the newest, put where it belongs.
    case late
    /// Same time and value as one that is there.
    case duplicate
    /// Same time as one that is there, other value: the first counts.
    case conflict
    /// Its chunk is sealed.
    case tooLate
    /// More than 24 days from the open samples: seal them, then offer it again.
    case farAhead
}

/// The samples of one series over the longest window, in little memory: sealed chunks, each with the summary of what is analysed, and an
/// open head of plain columns in which late samples still find their place.
///
/// Chunks stand on the clock: chunk k holds the times in (k x span, (k+1) x span]. What is analysed is the value of a gauge and the
/// per-second rate of a counter (increase since the sample before, a fall counts as a restart from zero; none across a staleness marker).
/// Values that are not finite are kept but not analysed.
package struct SampleHistory: Sendable {
    package internal(set) var isCounter: Bool
    /// Everything at or before this time is sealed; later offers of such samples are refused.
    package internal(set) var sealedThrough: Milliseconds = .min
    var sealed: [SealedChunk] = []
    /// The encoded bytes of all sealed chunks, one behind the other.
    var data: [UInt8] = []

    // The head: times relative to `headBase`, raw values.
    var headBase: Milliseconds = 0
    var headTimes: [Int32] = []
    var headValues: [Double] = []
    /// The last raw sample before the head (base of a counter's next rate).
    var carryTime: Milliseconds = .min
    var carryValue: Double = .nan

    /// Summary of the first `foldedCount` samples of the head: evaluations only add what is new.
    var folded = Moments()
    var foldedCount = 0

    package init(isCounter: Bool) { self.isCounter = isCounter }

    /// Number of raw samples held open.
    package var headCount: Int { headTimes.count }
    package var isEmpty: Bool { headTimes.isEmpty && sealed.isEmpty }

    /// Time of the newest sample; nil if there is none.
    package var lastTime: Milliseconds? {
        if let last = headTimes.last { return headBase + Milliseconds(last) }
        return carryTime == .min ? nil : carryTime
    }

    /// Raw value of the newest sample.
    package var lastValue: Double? { headValues.last ?? (carryTime == .min ? nil : carryValue) }

    /// Time of the oldest open sample.
    package var firstOpenTime: Milliseconds? { headTimes.first.map { headBase + Milliseconds($0) } }

    func headTime(_ i: Int) -> Milliseconds { headBase + Milliseconds(headTimes[i]) }

    /// Bytes of memory held by the arrays, capacity included.
    package var memoryBytes: Int {
        MemoryLayout<SampleHistory>.stride + data.capacity + sealed.capacity * MemoryLayout<SealedChunk>.stride
            + headTimes.capacity * 4 + headValues.capacity * 8 + 4 * 32
    }

    /// O(1) for a sample newer than all before, O(head) for a late one.
    package mutating func append(time: Milliseconds, value: Double) -> AppendOutcome {
        if time <= sealedThrough { return .tooLate }
        if headTimes.isEmpty { headBase = time }
        guard let offset = relative(time) else { return time > headBase ? .farAhead : .tooLate }
        guard let last = headTimes.last, offset <= last else {
            reserve()
            headTimes.append(offset)
            headValues.append(value)
            return .appended
        }
        return insert(offset, value)
    }

    /// The time in the head's terms. A head spans less than 24 days.
    private func relative(_ time: Milliseconds) -> Int32? {
        let (offset, overflow) = time.subtractingReportingOverflow(headBase)
        return overflow ? nil : Int32(exactly: offset)
    }

    /// Grows by a little: at many series the doubling of arrays would be most of the memory.
    private mutating func reserve() {
        if headTimes.count < headTimes.capacity { return }
        let wanted = headTimes.count + max(16, headTimes.count / 4)
        headTimes.reserveCapacity(wanted)
        headValues.reserveCapacity(wanted)
    }

    private mutating func insert(_ offset: Int32, _ value: Double) -> AppendOutcome {
        var low = 0
        var high = headTimes.count
        while low < high {
            let middle = (low + high) / 2
            if headTimes[middle] < offset { low = middle + 1 } else { high = middle }
        }
        if headTimes[low] == offset {
            return headValues[low].bitPattern == value.bitPattern ? .duplicate : .conflict
        }
        reserve()
        headTimes.insert(offset, at: low)
        headValues.insert(value, at: low)
        // What is folded ends before `low`, or must be folded anew: the sample behind an inserted one of a counter gets another rate.
        if low < foldedCount { unfold() }
        return .late
    }

    mutating func unfold() {
        folded = Moments()
        foldedCount = 0
    }

    /// What is analysed at head position i; NaN if nothing.
    func analysed(_ i: Int) -> Double {
        let value = headValues[i]
        if !isCounter { return value }
        return i == 0
            ? counterRate(carryTime, carryValue, headTime(0), value)
            : counterRate(headTime(i - 1), headValues[i - 1], headTime(i), value)
    }
}

/// A sealed chunk's place and summary.
struct SealedChunk: Sendable {
    var start: Milliseconds
    var end: Milliseconds
    var byteOffset: UInt32
    private var summaryCount: UInt32
    private var least: Double
    private var most: Double
    private var reference: Double
    private var offset: Double
    private var m2: Double

    init(start: Milliseconds, end: Milliseconds, byteOffset: Int, moments: Moments) {
        self.start = start
        self.end = end
        self.byteOffset = UInt32(truncatingIfNeeded: byteOffset)
        summaryCount = UInt32(clamping: moments.count)
        least = moments.min
        most = moments.max
        reference = moments.reference
        offset = moments.offset
        m2 = moments.m2
    }

    var moments: Moments {
        var moments = Moments(count: Int(summaryCount), min: least, max: most, mean: reference, m2: m2)
        moments.offset = offset
        return moments
    }
}

/// Per-second rate between two samples of a counter; NaN where there is none, or one is infinite. A fall is a restart from zero (as Prometheus'
/// `increase` counts it).
@inlinable
package func counterRate(_ fromTime: Int64, _ from: Double, _ toTime: Int64, _ to: Double) -> Double {
    if fromTime == .min || toTime <= fromTime || !from.isFinite || !to.isFinite { return .nan }
    let increase = to >= from ? to - from : to
    return increase / (Double(toTime - fromTime) / 1000)
}

extension SampleHistory {
    /// Nothing is sealed yet.
    package var isYoung: Bool { sealed.isEmpty }
}
