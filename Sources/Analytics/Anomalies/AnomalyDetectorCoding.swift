import TimeSeries

/// A checkpoint: version, then every field in one order, little-endian, about 1.3 KB. A detector that is decoded goes on exactly where
/// the encoded one stopped.
extension AnomalyDetector {
    private static let version: UInt8 = 1

    package func encode() -> [UInt8] {
        var copy = self
        var writer = StateWriter()
        writer.bytes.reserveCapacity(1_280)
        writer.bytes.append(Self.version)
        copy.walk(&writer)
        return writer.bytes
    }

    /// nil for bytes that are no state of this version: begin anew then, which costs the cold start and nothing else.
    package init?(decoding bytes: [UInt8], options: AnomalyOptions = AnomalyOptions()) {
        guard bytes.first == Self.version else { return nil }
        self.init(options: options)
        var reader = StateReader(bytes: bytes, at: 1)
        walk(&reader)
        guard reader.isSound, reader.at == bytes.count, isPlausible else { return nil }
    }

    private mutating func walk<C: StateCoder>(_ coder: inout C) {
        coder.code(&time)
        coder.code(&interval)
        coder.code(&held)
        coder.code(&sinceHeld)
        statistics.walk(&coder)
        for i in tails.peaks.indices { coder.code(&tails.peaks[i]) }
        for i in tails.filled.indices { coder.code(&tails.filled[i]) }
        for i in tails.counts.indices {
            coder.code(&tails.counts[i])
            coder.code(&tails.runAges[i])
            coder.code(&tails.runGaps[i])
            coder.code(&tails.runPeaks[i])
        }
        incident.walk(&coder)
    }

    /// Times that can be subtracted from each other.
    private static var latest: Milliseconds { 1 << 53 }
    private static var longestInterval: Double { 366 * 86_400_000 }

    private var isPlausible: Bool {
        [time, incident.onset, incident.suspectSince, incident.suspectLast].allSatisfy((-Self.latest...Self.latest).contains)
            && (0...Self.longestInterval).contains(interval) && held.isFinite && sinceHeld >= 0 && incident.surprise.isFinite
            && statistics.isPlausible && !tails.peaks.contains { !$0.isFinite }
            && tails.filled.allSatisfy { $0 <= TailBank.depth } && tails.counts.allSatisfy { (0..<TailBank.forgetting).contains($0) }
            && incident.quiet >= 0
    }
}

extension AnomalyStatistics {
    fileprivate mutating func walk<C: StateCoder>(_ coder: inout C) {
        coder.code(&count)
        coder.code(&last)
        coder.code(&origin)
        coder.code(&shortMean)
        coder.code(&forecastMean)
        coder.code(&middleMean)
        coder.code(&longMean)
        coder.code(&shortSteps)
        coder.code(&longSteps)
        coder.code(&spread)
        coder.code(&unchanged)
        coder.code(&lastError)
        coder.code(&meanError)
        coder.code(&dailyError)
        coder.code(&dailyCount)
        coder.code(&dailyResidual)
        for i in daily.means.indices { coder.code(&daily.means[i]) }
        for i in daily.days.indices { coder.code(&daily.days[i]) }
        coder.code(&daily.origin)
        coder.code(&daily.bin)
        coder.code(&daily.sum)
        coder.code(&daily.count)
    }

    fileprivate var isPlausible: Bool {
        let numbers = [
            count, last, origin, shortMean, forecastMean, middleMean, longMean, shortSteps, longSteps, spread, unchanged, lastError,
            meanError, dailyError,
            dailyCount, dailyResidual, daily.origin, daily.sum, daily.count,
        ]
        return numbers.allSatisfy(\.isFinite) && count >= 0 && count < 1e15 && unchanged >= 0 && unchanged < 1e15
            && (-1..<Int32(DailyProfile.bins)).contains(daily.bin)
    }
}

extension IncidentState {
    fileprivate mutating func walk<C: StateCoder>(_ coder: inout C) {
        coder.code(&isOpen)
        coder.code(&onset)
        coder.code(&suspectSince)
        coder.code(&suspectLast)
        coder.code(&quiet)
        coder.code(&since)
        coder.code(&surprise)
        coder.code(&expected)
        coder.code(&seen)
        var raw = cause.rawValue
        coder.code(&raw)
        cause = AnomalyCause(rawValue: raw) ?? .highValue
    }
}

/// One walk over the fields serves both directions, so that they cannot differ.
private protocol StateCoder {
    mutating func code<I: FixedWidthInteger>(_ value: inout I)
}

extension StateCoder {
    mutating func code(_ value: inout Double) {
        var bits = value.bitPattern
        code(&bits)
        value = Double(bitPattern: bits)
    }

    mutating func code(_ value: inout Float) {
        var bits = value.bitPattern
        code(&bits)
        value = Float(bitPattern: bits)
    }

    mutating func code(_ value: inout Bool) {
        var byte: UInt8 = value ? 1 : 0
        code(&byte)
        value = byte != 0
    }
}

private struct StateWriter: StateCoder {
    var bytes: [UInt8] = []

    mutating func code<I: FixedWidthInteger>(_ value: inout I) {
        for shift in stride(from: 0, to: I.bitWidth, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> I(shift))) }
    }
}

private struct StateReader: StateCoder {
    let bytes: [UInt8]
    var at: Int
    var isSound = true

    init(bytes: [UInt8], at: Int) {
        self.bytes = bytes
        self.at = at
    }

    mutating func code<I: FixedWidthInteger>(_ value: inout I) {
        let size = I.bitWidth / 8
        guard isSound, at + size <= bytes.count else {
            isSound = false
            return
        }
        value = 0
        for i in 0..<size { value |= I(truncatingIfNeeded: bytes[at + i]) << I(8 * i) }
        at += size
    }
}
