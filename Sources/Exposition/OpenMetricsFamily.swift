/// The rules that the lines of one OpenMetrics metric family obey together (OpenMetrics 1.0, and where that leaves room, what its
/// reference parser in the Prometheus client for Python does).
struct OpenMetricsFamily {
    private let name: Span
    /// Where the family begins, for errors about it as a whole.
    private let line: Int
    private var type: FamilyType?
    private var hasHelp = false
    private var unit: Span?
    private(set) var hasSamples = false

    private var group: UInt64?
    private var groupTime: Double?
    private var histogram = HistogramPoint()

    init(name: Span, type: FamilyType?, line: Int) {
        self.name = name
        self.type = type
        self.line = line
    }

    // MARK: Metadata

    func isNamed(_ other: Span, _ cursor: ByteCursor) -> Bool {
        other.count == name.count && cursor.equal(other.start, name.start, count: name.count)
    }

    /// Each of the three is false if there was one already.
    mutating func setHelp() -> Bool {
        defer { hasHelp = true }
        return !hasHelp
    }

    mutating func setType(_ type: FamilyType) -> Bool {
        defer { self.type = type }
        return self.type == nil
    }

    mutating func setUnit(_ unit: Span) -> Bool {
        defer { self.unit = unit }
        return self.unit == nil
    }

    /// The suffix of a sample of this family, or nil if the sample starts another.
    func suffix(of sample: Span, _ cursor: ByteCursor) -> SampleSuffix? {
        guard sample.count >= name.count, cursor.equal(sample.start, name.start, count: name.count) else { return nil }
        let suffix = SampleSuffix(cursor, from: sample.start &+ name.count, to: sample.end)
        return (type ?? .unknown).rowType(suffix) == nil ? nil : suffix
    }

    /// The checks that need the whole family.
    func close(_ cursor: ByteCursor, _ scratch: inout OpenMetricsScratch) throws(Fault) {
        let type = type ?? .unknown
        try claim(.none, cursor, &scratch)
        for suffix in type.suffixes where suffix != .none { try claim(suffix, cursor, &scratch) }
        if let unit, unit.count > 0 {
            let start = name.end - unit.count
            guard start > name.start, cursor.base[start - 1] == 0x5F, cursor.equal(start, unit.start, count: unit.count) else {
                throw Fault(offset: unit.start, message: "the metric family's name does not end with '_' and this unit")
            }
            if type == .info || type == .stateset {
                throw Fault(offset: unit.start, message: "a metric family of type \(type.word) has no unit")
            }
        }
        if isHistogram { try histogram.finish() }
    }

    /// Takes name and suffix as this family's own for the whole page.
    private func claim(_ suffix: SampleSuffix, _ cursor: ByteCursor, _ scratch: inout OpenMetricsScratch) throws(Fault) {
        guard scratch.names.insert(cursor.hash(name, suffix.text, seed: 0)) else {
            let text = cursor.decoded(name) + "\(suffix.text)"
            throw Fault(
                offset: line, message: "another metric family of this page claims the name '\(text)' (all lines of a family stand together)"
            )
        }
    }

    // MARK: Samples

    private var isHistogram: Bool { type == .histogram || type == .gaugehistogram }

    /// Judges a sample whose name belongs to this family and whose labels are in `scratch`; says how its row is to be read.
    mutating func add(
        _ sample: OpenMetricsSample, _ cursor: ByteCursor, _ numbers: NumberParser, _ scratch: inout OpenMetricsScratch
    ) throws(Fault) -> RowType? {
        let type = type ?? .unknown
        let suffix = SampleSuffix(cursor, from: sample.name.start &+ name.count, to: sample.name.end)
        hasSamples = true
        try scratch.labelNames.check(scratch.labels, cursor)
        let labels = Labels(scratch.labels, scratch.labelNames.hashes, reserved: reservedLabel(type, suffix), family: name, cursor)
        let threshold = try reservedValue(labels.reserved, type, suffix, sample, cursor, numbers)
        try checkValue(sample, type, suffix)
        if sample.exemplar != nil, !(suffix == .bucket || suffix == .total) {
            throw Fault(offset: sample.exemplar ?? sample.line, message: "only counters' totals and histograms' buckets can have exemplars")
        }
        let isNewPoint = try enterGroup(type == .info ? 0 : labels.group, sample, type, &scratch)
        if isHistogram {
            // A sample that stands twice in a point counts once: two points may have been truncated to one timestamp.
            let key = folded(labels.all &+ UInt64(suffix.rawValue), sample.time?.bitPattern ?? 1)
            if scratch.samples.insert(key) { try histogram.add(sample, suffix, threshold, isNewPoint: isNewPoint) }
        }
        return type.rowType(suffix)
    }

    /// The label that tells the samples of one point apart, by name.
    private enum ReservedLabel {
        case none, le, quantile, familyName
    }

    private func reservedLabel(_ type: FamilyType, _ suffix: SampleSuffix) -> ReservedLabel {
        switch (type, suffix) {
        case (.histogram, .bucket), (.gaugehistogram, .bucket): .le
        case (.summary, .none): .quantile
        case (.stateset, _): .familyName
        default: .none
        }
    }

    /// A label set as hashes that do not depend on the order of the labels.
    private struct Labels {
        var all: UInt64 = 0
        /// Without the reserved label: the metric that the sample belongs to.
        var group: UInt64 = 0
        var reserved: LabelToken?

        init(_ labels: [LabelToken], _ names: [UInt64], reserved: ReservedLabel, family: Span, _ cursor: ByteCursor) {
            for (label, name) in zip(labels, names) {
                let hash = cursor.hash(label.value, seed: name)
                all &+= hash
                if Labels.isReserved(label.name, reserved, family, cursor) {
                    self.reserved = label
                } else {
                    group &+= hash
                }
            }
        }

        private static func isReserved(_ name: Span, _ reserved: ReservedLabel, _ family: Span, _ cursor: ByteCursor) -> Bool {
            switch reserved {
            case .none: false
            case .le: name.count == 2 && cursor.matches("le", at: name.start, end: name.end)
            case .quantile: name.count == 8 && cursor.matches("quantile", at: name.start, end: name.end)
            case .familyName: name.count == family.count && cursor.equal(name.start, family.start, count: family.count)
            }
        }
    }

    /// Checks the reserved label to be there and right; gives a bucket's threshold.
    private func reservedValue(
        _ label: LabelToken?, _ type: FamilyType, _ suffix: SampleSuffix, _ sample: OpenMetricsSample, _ cursor: ByteCursor,
        _ numbers: NumberParser
    ) throws(Fault) -> Double {
        switch reservedLabel(type, suffix) {
        case .none: return 0
        case .familyName:
            if label == nil { throw Fault(offset: sample.line, message: "a stateset's sample needs a label named as the metric family") }
            return 0
        case .quantile:
            guard let value = label?.value else { throw Fault(offset: sample.line, message: "a summary's sample needs a label 'quantile'") }
            guard let quantile = numbers.parse(value, in: cursor), quantile >= 0, quantile <= 1 else {
                throw Fault(offset: value.start, message: "the quantile is not a number from 0 to 1")
            }
            return quantile
        case .le:
            guard let value = label?.value else { throw Fault(offset: sample.line, message: "a histogram's bucket needs a label 'le'") }
            guard let threshold = numbers.parse(value, in: cursor), !threshold.isNaN else {
                throw Fault(offset: value.start, message: "the bucket's threshold 'le' is not a number")
            }
            if threshold == .infinity, !(value.count == 4 && cursor.matches("+Inf", at: value.start, end: value.end)) {
                throw Fault(offset: value.start, message: "an infinite threshold is written '+Inf'")
            }
            return threshold
        }
    }

    private func checkValue(_ sample: OpenMetricsSample, _ type: FamilyType, _ suffix: SampleSuffix) throws(Fault) {
        let value = sample.value
        var problem: String?
        switch (type, suffix) {
        case (.stateset, _): if value != 0 && value != 1 { problem = "a state is 0 or 1" }
        case (.info, _): if value != 1 { problem = "the value of an info is 1" }
        case (.summary, .none): if value < 0 { problem = "a quantile's value cannot be negative" }
        case (_, .bucket), (_, .count), (_, .gcount):
            if !(value >= 0 && value.isFinite && value.rounded(.towardZero) == value) {
                problem = "a count is a whole number, not negative"
            }
        case (_, .total), (_, .sum): if !(value >= 0) { problem = "a counter can be neither negative nor NaN" }
        case (_, .gsum): if value.isNaN { problem = "a sum cannot be NaN" }
        default: break
        }
        if let problem { throw Fault(offset: sample.valueStart, message: problem) }
    }

    // MARK: Groups

    /// Checks that the samples of one metric stand together and in the order of time; true if the sample begins another point.
    private mutating func enterGroup(
        _ hash: UInt64, _ sample: OpenMetricsSample, _ type: FamilyType, _ scratch: inout OpenMetricsScratch
    ) throws(Fault) -> Bool {
        let previousTime = groupTime
        groupTime = sample.time
        if hash != group {
            guard scratch.groups.insert(hash) else {
                throw Fault(offset: sample.line, message: "the samples of one metric (the same labels) must stand together")
            }
            group = hash
            return true
        }
        switch (previousTime, sample.time) {
        case (nil, nil): return false
        case (let before?, let now?):
            guard before <= now || type == .info else {
                throw Fault(offset: sample.timeStart, message: "timestamps went backwards within a metric")
            }
            return before != now
        default:
            throw Fault(offset: sample.line, message: "either all samples of a metric have timestamps or none has")
        }
    }
}
