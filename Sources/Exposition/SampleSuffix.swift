/// What a sample's name adds to its family's name.
enum SampleSuffix: UInt8 {
    case none, total, created, count, sum, bucket, gcount, gsum, info, other

    /// The suffix that is bytes `start ..< end`.
    init(_ cursor: ByteCursor, from start: Int, to end: Int) {
        let length = end &- start
        if length == 0 {
            self = .none
        } else if length == 4 && cursor.matches("_sum", at: start, end: end) {
            self = .sum
        } else if length == 5 && cursor.matches("_gsum", at: start, end: end) {
            self = .gsum
        } else if length == 5 && cursor.matches("_info", at: start, end: end) {
            self = .info
        } else if length == 6 && cursor.matches("_total", at: start, end: end) {
            self = .total
        } else if length == 6 && cursor.matches("_count", at: start, end: end) {
            self = .count
        } else if length == 7 && cursor.matches("_bucket", at: start, end: end) {
            self = .bucket
        } else if length == 7 && cursor.matches("_gcount", at: start, end: end) {
            self = .gcount
        } else if length == 8 && cursor.matches("_created", at: start, end: end) {
            self = .created
        } else {
            self = .other
        }
    }

    var text: StaticString {
        switch self {
        case .none, .other: ""
        case .total: "_total"
        case .created: "_created"
        case .count: "_count"
        case .sum: "_sum"
        case .bucket: "_bucket"
        case .gcount: "_gcount"
        case .gsum: "_gsum"
        case .info: "_info"
        }
    }
}

extension FamilyType {
    /// The type that bytes `start ..< end` name.
    init?(_ cursor: ByteCursor, from start: Int, to end: Int) {
        for type in FamilyType.allCases {
            let word = type.word
            if word.utf8CodeUnitCount == end - start && cursor.matches(word, at: start, end: end) {
                self = type
                return
            }
        }
        return nil
    }

    var word: StaticString {
        switch self {
        case .unknown: "unknown"
        case .gauge: "gauge"
        case .counter: "counter"
        case .histogram: "histogram"
        case .summary: "summary"
        case .info: "info"
        case .stateset: "stateset"
        case .gaugehistogram: "gaugehistogram"
        case .untyped: "untyped"
        }
    }

    /// The suffixes that OpenMetrics gives the samples of a family of this type.
    var suffixes: [SampleSuffix] {
        switch self {
        case .unknown, .untyped, .gauge, .stateset: [.none]
        case .counter: [.total, .created]
        case .histogram: [.bucket, .count, .sum, .created]
        case .summary: [.none, .count, .sum, .created]
        case .gaugehistogram: [.bucket, .gcount, .gsum]
        case .info: [.info]
        }
    }

    /// How a row of this family with this suffix is to be read; nil if OpenMetrics has no such row.
    func rowType(_ suffix: SampleSuffix) -> RowType? {
        switch (self, suffix) {
        case (.unknown, .none), (.untyped, .none): .unknown
        case (.gauge, .none), (.stateset, .none), (.info, .info), (.summary, .none): .gauge
        case (.counter, .created), (.histogram, .created), (.summary, .created): .gauge
        case (.gaugehistogram, .bucket), (.gaugehistogram, .gcount), (.gaugehistogram, .gsum): .gauge
        case (.counter, .total): .counter
        case (.histogram, .bucket), (.histogram, .count), (.histogram, .sum): .counter
        case (.summary, .count), (.summary, .sum): .counter
        default: nil
        }
    }

    /// The same for the text format, where a counter's family name is its sample's name, and where exporters write OpenMetrics'
    /// types as they please.
    func textRowType(_ suffix: SampleSuffix) -> RowType {
        switch (self, suffix) {
        case (.counter, .none): .counter
        case (.info, .none), (.gaugehistogram, .count), (.gaugehistogram, .sum): .gauge
        default: rowType(suffix) ?? .unknown
        }
    }
}
