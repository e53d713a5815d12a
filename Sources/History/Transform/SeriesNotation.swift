import TimeSeries

/// Why a series' text cannot be read.
package struct SeriesNotationError: Error, Sendable, Equatable, CustomStringConvertible {
    package var description: String
}

/// Series as text in one line without a raw tab: Prometheus notation, `name{a="b",c="d"}`, with `\t` and `\r` beside the escapes `\\`, `\"`
/// and `\n`. What Prometheus could not write bare stands in quotes: `{"odd name","odd label"="x"}`. docs/formats/transform.md.
package enum SeriesNotation {
    /// The canonical text: labels in the order of their names. Equal sets have equal bytes. O(bytes).
    package static func append(_ labels: LabelSet, to out: inout [UInt8]) {
        let name = labels.name
        let isPlain = isPlainName(name.utf8, colons: true)
        if isPlain { out.append(contentsOf: name.utf8) }
        let rest = labels.labels.filter { $0.name != LabelSet.metricName }
        if rest.isEmpty && isPlain { return }
        out.append(UInt8(ascii: "{"))
        var isFirst = true
        if !isPlain && !name.isEmpty {
            appendQuoted(name, to: &out)
            isFirst = false
        }
        for label in rest {
            if !isFirst { out.append(UInt8(ascii: ",")) }
            isFirst = false
            if isPlainName(label.name.utf8, colons: false) {
                out.append(contentsOf: label.name.utf8)
            } else {
                appendQuoted(label.name, to: &out)
            }
            out.append(UInt8(ascii: "="))
            appendQuoted(label.value, to: &out)
        }
        out.append(UInt8(ascii: "}"))
    }

    package static func bytes(_ labels: LabelSet) -> [UInt8] {
        var out: [UInt8] = []
        append(labels, to: &out)
        return out
    }

    private static func isPlainName(_ name: some Collection<UInt8>, colons: Bool) -> Bool {
        guard let first = name.first, isLetter(first) || (colons && first == UInt8(ascii: ":")) else { return false }
        return name.allSatisfy { isLetter($0) || ($0 >= 0x30 && $0 <= 0x39) || (colons && $0 == UInt8(ascii: ":")) }
    }

    private static func isLetter(_ c: UInt8) -> Bool { (c | 0x20 >= 0x61 && c | 0x20 <= 0x7A) || c == UInt8(ascii: "_") }

    private static func appendQuoted(_ text: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"), UInt8(ascii: "\""): out += [UInt8(ascii: "\\"), byte]
            case 0x0A: out += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
            case 0x09: out += [UInt8(ascii: "\\"), UInt8(ascii: "t")]
            case 0x0D: out += [UInt8(ascii: "\\"), UInt8(ascii: "r")]
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }

    /// Reads what `append` writes, labels in any order, blanks between parts. A name outside braces may be any text without braces, quotes
    /// and backslashes. Throws what is wrong and where. O(bytes).
    package static func parse(_ bytes: some Collection<UInt8>) throws(SeriesNotationError) -> LabelSet {
        var parser = SeriesParser(bytes: Array(bytes))
        return try parser.series()
    }
}

private struct SeriesParser {
    let bytes: [UInt8]
    var at = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    private func failure(_ message: String) -> SeriesNotationError {
        SeriesNotationError(
            description:
                "the series cannot be read: \(message) at byte \(at + 1) of '\(String(decoding: bytes.prefix(120), as: UTF8.self))'")
    }

    private var byte: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipBlanks() {
        while byte == UInt8(ascii: " ") { at += 1 }
    }

    private mutating func take(_ wanted: UInt8) -> Bool {
        guard byte == wanted else { return false }
        at += 1
        return true
    }

    mutating func series() throws(SeriesNotationError) -> LabelSet {
        guard String(validating: bytes, as: UTF8.self) != nil else { throw failure("it is not UTF-8") }
        skipBlanks()
        var labels: [Label] = []
        let bare = try bareName()
        if !bare.isEmpty { labels.append(Label(LabelSet.metricName, bare)) }
        if take(UInt8(ascii: "{")) { try braces(&labels) }
        skipBlanks()
        if at < bytes.count { throw failure("more text after the series") }
        if labels.isEmpty { throw failure("it has neither a name nor labels") }
        let names = labels.map(\.name)
        guard Set(names).count == names.count else { throw failure("a label stands twice") }
        let set = LabelSet(labels)
        if set.labels.isEmpty { throw failure("all its labels are empty") }
        return set
    }

    private mutating func bareName() throws(SeriesNotationError) -> String {
        let start = at
        while let byte, byte != UInt8(ascii: "{") {
            if byte == UInt8(ascii: "}") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 {
                throw failure("unexpected character in a name")
            }
            at += 1
        }
        var end = at
        while end > start, bytes[end - 1] == UInt8(ascii: " ") { end -= 1 }
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    private mutating func braces(_ labels: inout [Label]) throws(SeriesNotationError) {
        skipBlanks()
        while !take(UInt8(ascii: "}")) {
            let isQuoted = byte == UInt8(ascii: "\"")
            let name = isQuoted ? try quoted() : labelName()
            skipBlanks()
            if isQuoted, byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") {
                labels.append(Label(LabelSet.metricName, name))
            } else {
                if name.isEmpty { throw failure("expected a label's name") }
                guard take(UInt8(ascii: "=")) else { throw failure("expected '='") }
                skipBlanks()
                labels.append(Label(name, try quoted()))
            }
            skipBlanks()
            if take(UInt8(ascii: ",")) { skipBlanks() } else if byte != UInt8(ascii: "}") { throw failure("expected ',' or '}'") }
        }
    }

    private mutating func labelName() -> String {
        let start = at
        while let byte, byte != UInt8(ascii: "="), byte != UInt8(ascii: ","), byte != UInt8(ascii: "}"), byte != UInt8(ascii: "\""),
            byte > 0x20
        {
            at += 1
        }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    private mutating func quoted() throws(SeriesNotationError) -> String {
        guard take(UInt8(ascii: "\"")) else { throw failure("expected '\"'") }
        var text: [UInt8] = []
        while let byte {
            at += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            guard let escaped = self.byte else { break }
            at += 1
            switch escaped {
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "r"): text.append(0x0D)
            case UInt8(ascii: "\\"), UInt8(ascii: "\""): text.append(escaped)
            // As Prometheus' text format: a backslash before anything else is itself.
            default: text += [UInt8(ascii: "\\"), escaped]
            }
        }
        throw failure("a quote is not closed")
    }
}
