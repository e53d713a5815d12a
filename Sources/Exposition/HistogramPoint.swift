/// One point of an OpenMetrics histogram or gauge histogram: its buckets, count and sum, as they arrive line by line.
struct HistogramPoint {
    /// The line of the latest sample; nil before the first.
    private var line: Int?
    private var threshold: Double?
    private var bucket = 0.0
    private var count: Double?
    private var hasSum = false
    private var hasGaugeSum = false
    private var hasNegativeGaugeSum = false
    private var hasNegativeBuckets = false

    mutating func add(_ sample: OpenMetricsSample, _ suffix: SampleSuffix, _ le: Double, isNewPoint: Bool) throws(Fault) {
        if isNewPoint {
            try finish()
            self = HistogramPoint()
        }
        line = sample.line
        switch suffix {
        case .bucket:
            if le < 0 { hasNegativeBuckets = true }
            if let threshold, le <= threshold { throw Fault(offset: sample.line, message: "buckets must stand in rising order of 'le'") }
            if sample.value < bucket {
                throw Fault(offset: sample.valueStart, message: "buckets are cumulative: this one is below the one before it")
            }
            threshold = le
            bucket = sample.value
        case .count, .gcount: count = sample.value
        case .sum: hasSum = true
        case .gsum:
            hasGaugeSum = true
            if sample.value < 0 { hasNegativeGaugeSum = true }
        default: break
        }
    }

    /// The checks that need the whole point.
    func finish() throws(Fault) {
        guard let line else { return }
        var problem: String?
        if threshold != .infinity {
            problem = "the histogram has no bucket with le=\"+Inf\""
        } else if let count, count != bucket {
            problem = "the histogram's count differs from its +Inf bucket"
        } else if count == nil && (hasSum || hasGaugeSum) {
            problem = "the histogram has a sum but no count"
        } else if count != nil && !(hasSum || hasGaugeSum) {
            problem = "the histogram has a count but no sum"
        } else if hasNegativeBuckets && hasSum {
            problem = "a histogram with negative buckets cannot have a sum"
        } else if !hasNegativeBuckets && hasNegativeGaugeSum {
            problem = "a gauge histogram without negative buckets cannot have a negative sum"
        }
        if let problem { throw Fault(offset: line, message: problem) }
    }
}
