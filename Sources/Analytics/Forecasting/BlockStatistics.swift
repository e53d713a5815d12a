/// Maximum, minimum and mean of a block of consecutive values.
package struct BlockStatistics: Sendable, Equatable {
    package var max: Double
    package var min: Double
    package var avg: Double

    package init(max: Double, min: Double, avg: Double) {
        self.max = max
        self.min = min
        self.avg = avg
    }

    /// Statistics of `count` > 0 values.
    @inline(__always)
    init(_ values: UnsafePointer<Double>, count: Int) {
        var (high, low, sum) = (values[0], values[0], values[0])
        for i in 1..<Swift.max(count, 1) {
            let v = values[i]
            high = v > high ? v : high
            low = v < low ? v : low
            sum += v
        }
        max = high
        min = low
        // Rounding must not carry the mean past its values.
        avg = Swift.min(Swift.max(sum / Double(count), low), high)
    }
}

/// What is forecast about the horizon as a whole.
package enum HorizonStatistic: Int, Sendable, CaseIterable {
    case max = 0
    case min = 1
    case avg = 2
}
