/// Bytes `start ..< end` of the page; of a quoted name or a label value, the text between the quotes.
struct Span {
    var start: Int
    var end: Int
    /// Holds backslashes that may be escapes.
    var escaped = false

    var count: Int { end &- start }
}

/// One `name="value"` of a label set, or a quoted metric name that stands there alone (Prometheus 3: `{"my.metric",a="b"}`).
struct LabelToken {
    var name: Span
    var value: Span
    var isMetricName = false
}

/// The smallest parts of a line: names, quoted text, labels.
extension ByteCursor {
    /// Skips a name of letters, digits (not first), `_` and, in metric names, `:`. False if none stands here.
    @inline(__always)
    mutating func skipName(colon: Bool) -> Bool {
        guard at < end, isNameByte(base[at], colon: colon), base[at] &- 0x30 > 9 else { return false }
        while at &+ 8 <= end {
            let stops = nonNameBytes(word(at), colon: colon)
            if stops != 0 {
                at &+= stops.trailingZeroBitCount >> 3
                return true
            }
            at &+= 8
        }
        while at < end, isNameByte(base[at], colon: colon) { at &+= 1 }
        return true
    }

    /// A metric name, bare or in quotes; `place` says after what it is expected.
    mutating func metricName(after place: StaticString) throws(Fault) -> Span {
        let start = at
        if byte == Ascii.quote {
            let name = try quoted(newlineAllowed: false)
            if name.count == 0 { throw Fault(offset: start, message: "empty metric name") }
            return name
        }
        guard skipName(colon: true) else { throw fault(expected: "a metric name after \(place)") }
        return Span(start: start, end: at)
    }

    /// Reads `"..."`, with the cursor on the opening quote. Checks the text to be UTF-8; leaves escapes as they are.
    @inline(__always)
    mutating func quoted(newlineAllowed: Bool) throws(Fault) -> Span {
        let open = at
        let start = at &+ 1
        var i = start
        var escaped = false
        var high: UInt64 = 0
        while true {
            if i &+ 8 <= end {
                let bytes = word(i)
                var stops = zeroBytes(bytes ^ 0x2222_2222_2222_2222) | zeroBytes(bytes ^ 0x5C5C_5C5C_5C5C_5C5C)
                if !newlineAllowed { stops |= zeroBytes(bytes ^ 0x0A0A_0A0A_0A0A_0A0A) }
                if stops == 0 {
                    high |= bytes
                    i &+= 8
                    continue
                }
                high |= bytes & ((stops & (0 &- stops)) &- 1)
                i &+= stops.trailingZeroBitCount >> 3
            }
            guard i < end else { throw unterminated(open) }
            let c = base[i]
            if c == Ascii.quote { break }
            if c == Ascii.backslash {
                escaped = true
                guard i &+ 1 < end, base[i &+ 1] != Ascii.newline else { throw unterminated(open) }
                high |= UInt64(base[i &+ 1])
                i &+= 2
            } else {
                if c == Ascii.newline && !newlineAllowed { throw unterminated(open) }
                high |= UInt64(c)
                i &+= 1
            }
        }
        if high & 0x8080_8080_8080_8080 != 0 { try checkUTF8(from: start, to: i) }
        at = i &+ 1
        return Span(start: start, end: i, escaped: escaped)
    }

    @inline(never)
    private func unterminated(_ open: Int) -> Fault {
        Fault(offset: open, message: "this quote is not closed on its line")
    }

    /// Reads one label, with the cursor on its first byte. `strict` allows no blanks around the parts.
    @inline(__always)
    mutating func label(strict: Bool) throws(Fault) -> LabelToken {
        var name = Span(start: at, end: at)
        if byte == Ascii.quote {
            name = try quoted(newlineAllowed: false)
            if !strict { skipBlanks() }
            if byte == Ascii.comma || byte == Ascii.closeBrace {
                return LabelToken(name: name, value: Span(start: at, end: at), isMetricName: true)
            }
        } else {
            guard skipName(colon: false) else { throw fault(expected: "a label name or '}'") }
            name.end = at
            if !strict { skipBlanks() }
        }
        guard skip(Ascii.equals) else { throw fault(expected: "'=' after the label name") }
        if !strict { skipBlanks() }
        guard byte == Ascii.quote else { throw fault(expected: "a label value in double quotes") }
        return LabelToken(name: name, value: try quoted(newlineAllowed: !strict))
    }

    /// Reads the labels up to and with the closing brace, the cursor standing behind the opening one. A metric name among them
    /// (allowed only if `named` is false) is returned, not appended.
    mutating func labelSet(strict: Bool, named: Bool, into labels: inout [LabelToken]) throws(Fault) -> Span? {
        var metric: Span?
        if !strict { skipBlanks() }
        if skip(Ascii.closeBrace) { return nil }
        while true {
            let start = at
            let label = try label(strict: strict)
            if label.isMetricName {
                if named || metric != nil { throw secondMetricName(at: start) }
                if label.name.count == 0 { throw Fault(offset: start, message: "empty metric name") }
                metric = label.name
            } else {
                labels.append(label)
            }
            if !strict { skipBlanks() }
            if skip(Ascii.comma) {
                if strict { continue }
                skipBlanks()
            } else if strict && byte != Ascii.closeBrace {
                throw fault(expected: "',' or '}' after the label")
            }
            // The text format lets labels follow one another without a comma, and end with one, as Prometheus does.
            if skip(Ascii.closeBrace) { return metric }
        }
    }

    @inline(never)
    func secondMetricName(at offset: Int) -> Fault {
        Fault(offset: offset, message: "quoted text without '=' is a metric name, but the series already has one or allows none")
    }
}

/// Whether a name may hold this byte: letters, digits, `_`, and `:` if `colon`.
@inline(__always)
func isNameByte(_ c: UInt8, colon: Bool) -> Bool {
    // The colon follows the digits in ASCII.
    (c | 0x20) &- 0x61 < 26 || c &- 0x30 < (colon ? 11 : 10) || c == 0x5F
}

/// The high bit of each of eight bytes that a name may not hold. With seven bits a byte, adding `0x80 - first` sets the high bit of
/// just those bytes that are not below `first`, and no carry leaves a byte.
@inline(__always)
func nonNameBytes(_ bytes: UInt64, colon: Bool) -> UInt64 {
    func every(_ byte: UInt64) -> UInt64 { byte &* 0x0101_0101_0101_0101 }
    let low = bytes & every(0x7F)
    let folded = low | every(0x20)
    let letters = (folded &+ every(0x80 - 0x61)) & ~(folded &+ every(0x80 - 0x7B))
    let digits = (low &+ every(0x80 - 0x30)) & ~(low &+ every(colon ? 0x80 - 0x3B : 0x80 - 0x3A))
    let underscores = ~((low ^ every(0x5F)) &+ every(0x7F))
    return (~(letters | digits | underscores) | bytes) & every(0x80)
}
