/// Writes a page in the Prometheus text format 0.0.4 into a byte buffer. Families are to be written whole, one after another.
/// Names that are not plain metric or label names are put in quotes, as Prometheus 3 reads them.
package struct ExpositionWriter: Sendable {
    /// The `Content-Type` of such a page.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// The page so far; every line is complete.
    package private(set) var bytes: [UInt8] = []

    package init(reservingCapacity capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    /// Begins another page in the same memory.
    package mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// Writes the `# HELP` (unless empty) and `# TYPE` lines of a family. Types that the text format does not know become the
    /// nearest it does: info and stateset are gauges, the others untyped.
    package mutating func family(_ name: String, type: FamilyType, help: String = "") {
        if !help.isEmpty {
            append("# HELP ")
            appendName(name)
            bytes.append(Ascii.space)
            appendEscaped(help, quotes: false)
            bytes.append(Ascii.newline)
        }
        append("# TYPE ")
        appendName(name)
        bytes.append(Ascii.space)
        append(type.textWord)
        bytes.append(Ascii.newline)
    }

    /// Writes one sample of the metric `name + suffix`. `time` is in milliseconds since the epoch.
    package mutating func row(
        _ name: String, suffix: String = "", labels: [(name: String, value: String)] = [], value: Double, time: Int64? = nil
    ) {
        let isPlain = isPlainName(name, colon: true)
        if isPlain {
            bytes.append(contentsOf: name.utf8)
            bytes.append(contentsOf: suffix.utf8)
        }
        if !isPlain || !labels.isEmpty {
            bytes.append(Ascii.openBrace)
            if !isPlain { appendQuoted(name + suffix) }
            for (i, label) in labels.enumerated() {
                if i > 0 || !isPlain { bytes.append(Ascii.comma) }
                appendLabel(label.name, label.value)
            }
            bytes.append(Ascii.closeBrace)
        }
        bytes.append(Ascii.space)
        appendNumber(value)
        if let time {
            bytes.append(Ascii.space)
            appendInteger(time)
        }
        bytes.append(Ascii.newline)
    }

    private mutating func appendLabel(_ name: String, _ value: String) {
        if isPlainName(name, colon: false) {
            bytes.append(contentsOf: name.utf8)
        } else {
            appendQuoted(name)
        }
        bytes.append(Ascii.equals)
        appendQuoted(value)
    }

    private mutating func appendName(_ name: String) {
        if isPlainName(name, colon: true) {
            bytes.append(contentsOf: name.utf8)
        } else {
            appendQuoted(name)
        }
    }

    private mutating func appendQuoted(_ text: String) {
        bytes.append(Ascii.quote)
        appendEscaped(text, quotes: true)
        bytes.append(Ascii.quote)
    }

    private mutating func appendEscaped(_ text: String, quotes: Bool) {
        for c in text.utf8 {
            if c == Ascii.newline {
                append("\\n")
            } else {
                if c == Ascii.backslash || (quotes && c == Ascii.quote) { bytes.append(Ascii.backslash) }
                bytes.append(c)
            }
        }
    }

    /// The shortest text that reads back as the same double.
    private mutating func appendNumber(_ value: Double) {
        if value.isNaN {
            append("NaN")
        } else if value.isInfinite {
            append(value < 0 ? "-Inf" : "+Inf")
        } else if let integer = Int64(exactly: value), integer.magnitude <= 1 << 53, integer != 0 || value.sign == .plus {
            appendInteger(integer)
        } else {
            bytes.append(contentsOf: value.description.utf8)
        }
    }

    private mutating func appendInteger(_ value: Int64) {
        if value < 0 { bytes.append(0x2D) }
        let start = bytes.count
        var rest = value.magnitude
        repeat {
            bytes.append(0x30 + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    private mutating func append(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}

private func isPlainName(_ name: String, colon: Bool) -> Bool {
    guard let first = name.utf8.first, first &- 0x30 > 9 else { return false }
    return name.utf8.allSatisfy { isNameByte($0, colon: colon) }
}

extension FamilyType {
    fileprivate var textWord: StaticString {
        switch self {
        case .gauge, .counter, .histogram, .summary: word
        case .info, .stateset: FamilyType.gauge.word
        case .unknown, .gaugehistogram, .untyped: FamilyType.untyped.word
        }
    }
}
