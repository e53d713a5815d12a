/// What an OpenMetrics page needs beside its rows, kept from page to page for its capacity.
struct OpenMetricsScratch: Sendable {
    var labels: [LabelToken] = []
    var labelNames = LabelNameCheck()
    /// Every name that a family claims, with each suffix of its type.
    var names = KeySet()
    /// The groups (a metric's labels) seen in the current family.
    var groups = KeySet()
    /// The samples seen in the current family, if it is a histogram.
    var samples = KeySet()

    mutating func beginPage() {
        names.removeAll()
        beginFamily()
    }

    mutating func beginFamily() {
        groups.removeAll()
        samples.removeAll()
    }
}

/// One sample line, read but not yet judged by the rules of its family.
struct OpenMetricsSample {
    /// Where the line begins.
    var line: Int
    var name: Span
    var seriesEnd: Int
    var valueStart: Int
    var value = 0.0
    var timeStart = 0
    /// Seconds since the epoch.
    var time: Double?
    /// Where the exemplar begins, if there is one.
    var exemplar: Int?
}

/// One pass over an OpenMetrics page: the grammar of its lines. What the lines must say together is `OpenMetricsFamily`'s to judge.
struct OpenMetricsPageParser {
    private var cursor: ByteCursor
    private let maxSeries: Int
    private let numbers = NumberParser(allowsHex: false)
    private var family: OpenMetricsFamily?
    private(set) var scratch: OpenMetricsScratch

    init(cursor: ByteCursor, maxSeries: Int, scratch: OpenMetricsScratch) {
        self.cursor = cursor
        self.maxSeries = maxSeries
        self.scratch = scratch
    }

    mutating func run(into rows: inout ParsedPage) throws(Fault) {
        scratch.beginPage()
        while !cursor.isAtEnd {
            switch cursor.byte {
            case Ascii.hash:
                if try metadata() {
                    try closeFamily()
                    return
                }
            case Ascii.newline: throw Fault(offset: cursor.at, message: "blank lines are not allowed in OpenMetrics")
            default: try sample(into: &rows)
            }
        }
        throw Fault(offset: cursor.end, message: "the page does not end with '# EOF'; it may be truncated")
    }

    // MARK: Metadata

    /// Reads a line that begins with `#`; true if it is the final `# EOF`.
    private mutating func metadata() throws(Fault) -> Bool {
        let line = cursor.at
        cursor.at += 1
        guard cursor.skip(Ascii.space) else { throw cursor.fault(expected: "a space after '#'") }
        let keyword = cursor.at
        if cursor.skip("EOF") {
            if !cursor.isAtEnd, !cursor.skip(Ascii.newline) { throw cursor.fault(expected: "the end of the line after '# EOF'") }
            guard cursor.isAtEnd else { throw Fault(offset: cursor.at, message: "nothing may follow '# EOF'") }
            return true
        } else if cursor.skip("HELP ") {
            let text = try openFamily(line: line, keyword: "HELP")
            try cursor.checkUTF8(from: text.start, to: text.end)
            if family?.setHelp() != true { throw Fault(offset: line, message: "a second HELP for this metric family") }
        } else if cursor.skip("TYPE ") {
            let text = try openFamily(line: line, keyword: "TYPE")
            guard let type = FamilyType(cursor, from: text.start, to: text.end), type != .untyped else {
                throw Fault(offset: text.start, message: "unknown OpenMetrics type; blanks around it are not allowed")
            }
            if family?.setType(type) != true { throw Fault(offset: line, message: "a second TYPE for this metric family") }
        } else if cursor.skip("UNIT ") {
            let text = try openFamily(line: line, keyword: "UNIT")
            if family?.setUnit(text) != true { throw Fault(offset: line, message: "a second UNIT for this metric family") }
        } else {
            throw Fault(
                offset: keyword, message: "expected 'HELP ', 'TYPE ', 'UNIT ' or 'EOF'; other comments are not allowed in OpenMetrics")
        }
        return false
    }

    /// Reads `name text` up to the line's end, makes `name` the current family and returns the text.
    private mutating func openFamily(line: Int, keyword: StaticString) throws(Fault) -> Span {
        let name = try cursor.metricName(after: keyword)
        guard cursor.skip(Ascii.space) else { throw cursor.fault(expected: "a space and the text of the \(keyword)") }
        let text = Span(start: cursor.at, end: cursor.lineEnd())
        cursor.at = text.end
        guard cursor.skip(Ascii.newline) else { throw cursor.fault(expected: "a newline") }
        if let family, family.isNamed(name, cursor) {
            if family.hasSamples { throw Fault(offset: line, message: "metadata must stand before the samples of its metric family") }
        } else {
            try open(name, type: nil, line: line)
        }
        return text
    }

    private mutating func open(_ name: Span, type: FamilyType?, line: Int) throws(Fault) {
        try closeFamily()
        scratch.beginFamily()
        family = OpenMetricsFamily(name: name, type: type, line: line)
    }

    private mutating func closeFamily() throws(Fault) {
        try family?.close(cursor, &scratch)
        family = nil
    }

    // MARK: Samples

    private mutating func sample(into rows: inout ParsedPage) throws(Fault) {
        var sample = try series()
        try valueAndTime(&sample)
        if family?.suffix(of: sample.name, cursor) == nil { try open(sample.name, type: .unknown, line: sample.line) }
        let type = try family?.add(sample, cursor, numbers, &scratch)
        guard rows.count < maxSeries else { throw tooManySeries(maxSeries, at: sample.line) }
        rows.append(
            start: sample.line, length: sample.seriesEnd &- sample.line, value: sample.value,
            time: milliseconds(sample.time), type: type ?? .unknown)
    }

    /// Reads the name and the labels; the labels go to `scratch`.
    private mutating func series() throws(Fault) -> OpenMetricsSample {
        let start = cursor.at
        scratch.labels.removeAll(keepingCapacity: true)
        var name: Span?
        if cursor.skipName(colon: true) {
            name = Span(start: start, end: cursor.at)
        } else if cursor.byte != Ascii.openBrace {
            throw cursor.fault(expected: "a metric name or '#'")
        }
        if cursor.skip(Ascii.openBrace) {
            let quotedName = try cursor.labelSet(strict: true, named: name != nil, into: &scratch.labels)
            name = name ?? quotedName
        }
        guard let name else { throw Fault(offset: start, message: "the series has no metric name") }
        let end = cursor.at
        guard cursor.skip(Ascii.space) else { throw cursor.fault(expected: "one space before the value") }
        return OpenMetricsSample(line: start, name: name, seriesEnd: end, valueStart: cursor.at)
    }

    /// Reads `value [time] [# exemplar]` and the newline.
    private mutating func valueAndTime(_ sample: inout OpenMetricsSample) throws(Fault) {
        sample.value = try number("value")
        if cursor.skip(Ascii.space) {
            sample.timeStart = cursor.at
            if cursor.byte != Ascii.hash {
                sample.time = try finiteNumber("timestamp")
                if cursor.skip(Ascii.space) {
                    guard cursor.byte == Ascii.hash else { throw cursor.fault(expected: "the end of the line or an exemplar") }
                    sample.exemplar = try exemplar()
                }
            } else {
                sample.exemplar = try exemplar()
            }
        }
        guard cursor.skip(Ascii.newline) else { throw cursor.fault(expected: "the end of the line") }
    }

    /// Reads `# {labels} value [time]`.
    private mutating func exemplar() throws(Fault) -> Int {
        let start = cursor.at
        guard cursor.skip("# {") else { throw Fault(offset: start, message: "an exemplar begins with '# {'") }
        let firstLabel = scratch.labels.count
        _ = try cursor.labelSet(strict: true, named: true, into: &scratch.labels)
        var length = 0
        for label in scratch.labels[firstLabel...] { length += cursor.characterCount(label.name) + cursor.characterCount(label.value) }
        guard length <= 128 else {
            throw Fault(offset: start, message: "an exemplar's labels may have 128 characters together; these have \(length)")
        }
        try scratch.labelNames.check(scratch.labels, from: firstLabel, cursor)
        scratch.labels.removeSubrange(firstLabel...)
        guard cursor.skip(Ascii.space) else { throw cursor.fault(expected: "one space before the exemplar's value") }
        _ = try number("exemplar's value")
        if cursor.skip(Ascii.space) { _ = try finiteNumber("exemplar's timestamp") }
        return start
    }

    private mutating func number(_ what: StaticString) throws(Fault) -> Double {
        guard let value = numbers.parse(&cursor) else { throw Fault(offset: cursor.at, message: "the \(what) is not a number") }
        return value
    }

    private mutating func finiteNumber(_ what: StaticString) throws(Fault) -> Double {
        let start = cursor.at
        let value = try number(what)
        guard value.isFinite else { throw Fault(offset: start, message: "the \(what) is not a finite number") }
        return value
    }

    /// To the nearest millisecond; what is beyond 64 bits becomes the last instant there is.
    private func milliseconds(_ seconds: Double?) -> Int64 {
        guard let seconds else { return ParsedPage.noTime }
        // Int64.min would say that there is no time.
        return max(-Int64.max, Int64(exactly: (seconds * 1000).rounded()) ?? (seconds < 0 ? -Int64.max : Int64.max))
    }
}

extension ByteCursor {
    /// The number of characters (Unicode scalars) in a span once its escapes are resolved.
    func characterCount(_ span: Span) -> Int {
        var count = 0
        var i = span.start
        while i < span.end {
            if base[i] == Ascii.backslash, i + 1 < span.end {
                let c = base[i + 1]
                if c == Ascii.backslash || c == Ascii.quote || c == 0x6E { i += 1 }
            }
            if base[i] & 0xC0 != 0x80 { count += 1 }
            i += 1
        }
        return count
    }
}
