/// One pass over a page in the Prometheus text format. Accepts what Prometheus' own parser accepts (`model/textparse`), and where
/// that is stricter without gain (blanks behind a type, signed timestamps, OpenMetrics' types, hexadecimal floats) a little more.
struct TextPageParser {
    private var cursor: ByteCursor
    private let maxSeries: Int
    private let numbers = NumberParser(allowsHex: true)
    /// The family of the latest `# TYPE`; its name is empty before the first.
    private var family = Span(start: 0, end: 0)
    private var familyType = FamilyType.unknown
    /// The latest row's bare name, empty if there is none: rows of one metric follow one another, and comparing a name costs a
    /// fraction of reading it.
    private var lastName = Span(start: 0, end: 0)
    private var lastType = RowType.unknown

    init(cursor: ByteCursor, maxSeries: Int) {
        self.cursor = cursor
        self.maxSeries = maxSeries
    }

    mutating func run(into rows: inout ParsedPage) throws(Fault) {
        while true {
            cursor.skipBlanks()
            if cursor.isAtEnd { return }
            switch cursor.byte {
            case Ascii.newline: cursor.at &+= 1
            case Ascii.hash: try comment()
            default: try row(into: &rows)
            }
        }
    }

    // MARK: Rows

    @inline(__always)
    private mutating func row(into rows: inout ParsedPage) throws(Fault) {
        var line = cursor
        let start = line.at
        var type = skipName(&line)
        var length = line.at &- start
        line.skipBlanks()
        if line.byte == Ascii.openBrace {
            line.at &+= 1
            let quotedName = try labels(&line, named: type != nil)
            if let quotedName { type = rowType(named: quotedName) }
            length = line.at &- start
            line.skipBlanks()
        }
        guard let type else { throw nameFault(at: start) }

        guard let value = numbers.parse(&line) else { throw valueFault(line) }
        line.skipBlanks()
        var time = ParsedPage.noTime
        if line.byte != Ascii.newline && !line.isAtEnd {
            time = try timestamp(&line)
            line.skipBlanks()
            guard line.byte == Ascii.newline || line.isAtEnd else { throw line.fault(expected: "the end of the line after the timestamp") }
        }
        line.at &+= 1
        guard rows.count < maxSeries else { throw tooManySeries(maxSeries, at: start) }
        rows.append(start: start, length: length, value: value, time: time, type: type)
        cursor.at = min(line.at, line.end)
    }

    /// Skips a bare metric name and says how its row is to be read; nil if none stands here.
    @inline(__always)
    private mutating func skipName(_ line: inout ByteCursor) -> RowType? {
        let start = line.at
        let stop = start &+ lastName.count
        if lastName.count > 0, stop < line.end, !isNameByte(line.base[stop], colon: true),
            line.equal(start, lastName.start, count: lastName.count)
        {
            line.at = stop
            return lastType
        }
        guard line.skipName(colon: true) else { return nil }
        lastName = Span(start: start, end: line.at)
        lastType = rowType(named: lastName)
        return lastType
    }

    /// Skips the labels up to and with the closing brace and gives the quoted metric name among them, if any. The same grammar as
    /// `ByteCursor.labelSet(strict: false, ...)`, but keeps nothing.
    @inline(__always)
    private func labels(_ line: inout ByteCursor, named: Bool) throws(Fault) -> Span? {
        var metric: Span?
        line.skipBlanks()
        while !line.skip(Ascii.closeBrace) {
            let start = line.at
            let label = try line.label(strict: false)
            if label.isMetricName {
                if named || metric != nil { throw line.secondMetricName(at: start) }
                if label.name.count == 0 { throw Fault(offset: start, message: "empty metric name") }
                metric = label.name
            }
            line.skipBlanks()
            if line.skip(Ascii.comma) { line.skipBlanks() }
        }
        return metric
    }

    private func rowType(named name: Span) -> RowType {
        guard family.count > 0, name.count >= family.count, cursor.equal(name.start, family.start, count: family.count) else {
            return .unknown
        }
        return familyType.textRowType(SampleSuffix(cursor, from: name.start + family.count, to: name.end))
    }

    private func timestamp(_ line: inout ByteCursor) throws(Fault) -> Int64 {
        let start = line.at
        let negative = line.byte == 0x2D
        if negative || line.byte == 0x2B { line.at += 1 }
        let firstDigit = line.at
        var value: Int64 = 0
        while line.byte &- 0x30 < 10 {
            let (product, carry) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = product.addingReportingOverflow(Int64(line.byte &- 0x30))
            if carry || overflow { throw Fault(offset: start, message: "the timestamp does not fit into 64 bits of milliseconds") }
            value = sum
            line.at += 1
        }
        guard line.at > firstDigit else { throw line.fault(expected: "a timestamp in whole milliseconds, or the end of the line,") }
        return negative ? -value : value
    }

    @inline(never)
    private func nameFault(at start: Int) -> Fault {
        var line = cursor
        line.at = start
        if line.byte == Ascii.openBrace {
            return Fault(offset: start, message: "the series has no metric name")
        }
        return line.fault(expected: "a metric name or '#'")
    }

    @inline(never)
    private func valueFault(_ line: ByteCursor) -> Fault {
        let at = line.byte
        if line.isAtEnd || at == Ascii.newline { return line.fault(expected: "a value") }
        var stop = line
        while !stop.isAtEnd, stop.byte != Ascii.newline, stop.byte != Ascii.space, stop.byte != Ascii.tab { stop.at += 1 }
        if stop.at > line.at, line.base[stop.at - 1] == Ascii.carriageReturn {
            stop.at -= 1
            return stop.fault(expected: "the end of the line")
        }
        return Fault(offset: line.at, message: "the value is not a number")
    }

    // MARK: Comments

    /// Reads `# HELP`, `# TYPE` or a free comment, up to the line's end.
    private mutating func comment() throws(Fault) {
        cursor.at += 1
        let afterHash = cursor.at
        cursor.skipBlanks()
        if cursor.at > afterHash {
            if skipKeyword("HELP") {
                _ = try cursor.metricName(after: "HELP")
                try cursor.checkUTF8(from: cursor.at, to: cursor.lineEnd())
            } else if skipKeyword("TYPE") {
                try typeLine()
            }
        }
        cursor.at = cursor.lineEnd()
    }

    private mutating func skipKeyword(_ word: StaticString) -> Bool {
        let start = cursor.at
        if cursor.skip(word), cursor.byte == Ascii.space || cursor.byte == Ascii.tab {
            cursor.skipBlanks()
            return true
        }
        cursor.at = start
        return false
    }

    private mutating func typeLine() throws(Fault) {
        let name = try cursor.metricName(after: "TYPE")
        cursor.skipBlanks()
        var end = cursor.lineEnd()
        while end > cursor.at, cursor.base[end - 1] == Ascii.space || cursor.base[end - 1] == Ascii.tab { end -= 1 }
        guard let type = FamilyType(cursor, from: cursor.at, to: end) else {
            if end > cursor.at, cursor.base[end - 1] == Ascii.carriageReturn {
                cursor.at = end - 1
                throw cursor.fault(expected: "the end of the line")
            }
            throw Fault(offset: cursor.at, message: "unknown metric type; known are counter, gauge, histogram, summary and untyped")
        }
        family = name
        familyType = type
        lastName = Span(start: 0, end: 0)
    }
}
