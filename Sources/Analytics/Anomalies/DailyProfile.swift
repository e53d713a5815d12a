import TimeSeries

/// The mean course of a day in UTC, learned as it goes by: 32 bins of 45 minutes, each a mean of some five days.
struct DailyProfile: Sendable, Equatable {
    static let bins = 32
    static let day: Milliseconds = 86_400_000
    private static let memory: Float = 5

    var means = [Float](repeating: 0, count: bins)
    var days = [UInt8](repeating: 0, count: bins)
    /// Means are kept relative to it, so that a large level costs no precision.
    var origin = 0.0
    /// The bin under way.
    var bin: Int32 = -1
    var sum = 0.0
    var count = 0.0

    static func bin(_ time: Milliseconds) -> Int {
        let sinceMidnight = (time % day + day) % day
        return Int(sinceMidnight * Milliseconds(bins) / day)
    }

    /// What the day's course says of this time; nil on the first day.
    func mean(_ bin: Int) -> Double? { days[bin] > 0 ? origin + Double(means[bin]) : nil }

    mutating func add(_ value: Double, bin now: Int) {
        if Int(bin) != now {
            close()
            bin = Int32(now)
        }
        sum += value - origin
        count += 1
    }

    private mutating func close() {
        if bin >= 0, count > 0 {
            let at = Int(bin)
            if days[at] < .max { days[at] += 1 }
            means[at] += (Float(sum / count) - means[at]) / min(Float(days[at]), Self.memory)
        }
        sum = 0
        count = 0
    }
}
