import Storage
import TimeSeries

/// What is wrong with a selector, and where.
package struct SelectorError: Error, CustomStringConvertible {
    /// Counted from 1, in characters.
    package var position: Int
    package var message: String
    package var description: String { "\(message) at character \(position)" }
}

/// Reads a Prometheus series selector: `name{a="b",c!="d",e=~"f.*",g!~"h"}`, also `{"quoted.name",a="b"}`.
/// https://prometheus.io/docs/prometheus/latest/querying/basics/#instant-vector-selectors
package struct SelectorParser {
    static let maximumLength = 8192
    private let scalars: [Unicode.Scalar]
    private var at = 0

    private init(_ text: String) { scalars = Array(text.unicodeScalars) }

    package static func parse(_ text: String) throws(SelectorError) -> [LabelMatcher] {
        guard text.utf8.count <= maximumLength else { throw SelectorError(position: maximumLength, message: "the selector is too long") }
        var parser = SelectorParser(text)
        return try parser.selector()
    }

    private func failure(_ message: String) -> SelectorError { SelectorError(position: at + 1, message: message) }

    private var current: Unicode.Scalar? { at < scalars.count ? scalars[at] : nil }

    private mutating func skipSpace() {
        while let scalar = current, scalar == " " || scalar == "\t" || scalar == "\n" || scalar == "\r" { at += 1 }
    }

    private mutating func selector() throws(SelectorError) -> [LabelMatcher] {
        var matchers: [LabelMatcher] = []
        skipSpace()
        if let name = identifier(colons: true) { matchers.append(LabelMatcher(LabelSet.metricName, .equal, name)) }
        skipSpace()
        if current == "{" {
            at += 1
            try braces(&matchers)
            skipSpace()
        }
        if at < scalars.count { throw failure("unexpected '\(scalars[at])'") }
        if matchers.isEmpty { throw failure("a selector needs a name or a matcher") }
        return matchers
    }

    private mutating func braces(_ matchers: inout [LabelMatcher]) throws(SelectorError) {
        while true {
            skipSpace()
            if current == "}" {
                at += 1
                return
            }
            try matcher(&matchers)
            skipSpace()
            switch current {
            case ",": at += 1
            case "}": break
            case nil: throw failure("the '{' is not closed")
            default: throw failure("expected ',' or '}'")
            }
        }
    }

    private mutating func matcher(_ matchers: inout [LabelMatcher]) throws(SelectorError) {
        let start = at
        let isQuoted = current == "\"" || current == "'" || current == "`"
        let name: String
        if isQuoted {
            name = try quoted()
        } else if let plain = identifier(colons: false) {
            name = plain
        } else {
            throw failure("expected a label's name")
        }
        skipSpace()
        if isQuoted, current == "," || current == "}" {
            if matchers.contains(where: { $0.name == LabelSet.metricName && $0.operation == .equal }) {
                throw SelectorError(position: start + 1, message: "the metric's name stands twice")
            }
            matchers.append(LabelMatcher(LabelSet.metricName, .equal, name))
            return
        }
        let operation = try operation()
        skipSpace()
        guard current == "\"" || current == "'" || current == "`" else { throw failure("expected a value in quotes") }
        matchers.append(LabelMatcher(name, operation, try quoted()))
    }

    private mutating func operation() throws(SelectorError) -> LabelMatcher.Operation {
        let rest = String(String.UnicodeScalarView(scalars[at..<min(at + 2, scalars.count)]))
        if let two = LabelMatcher.Operation(rawValue: rest), rest.utf8.count == 2 {
            at += 2
            return two
        }
        guard rest.hasPrefix("=") else { throw failure("expected =, !=, =~ or !~") }
        at += 1
        return .equal
    }

    private mutating func identifier(colons: Bool) -> String? {
        let start = at
        while let scalar = current {
            let isLetter = ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_" || (colons && scalar == ":")
            let isDigit = ("0"..."9").contains(scalar) && at > start
            guard isLetter || isDigit else { break }
            at += 1
        }
        return at > start ? String(String.UnicodeScalarView(scalars[start..<at])) : nil
    }

    private mutating func quoted() throws(SelectorError) -> String {
        guard let quote = current else { throw failure("expected a text in quotes") }
        at += 1
        var out = String.UnicodeScalarView()
        while let scalar = current {
            at += 1
            if scalar == quote { return String(out) }
            if scalar == "\\", quote != "`" { out.append(try escape()) } else { out.append(scalar) }
        }
        throw failure("the text in quotes does not end")
    }

    /// Escapes of Go's interpreted strings, as PromQL has them.
    private mutating func escape() throws(SelectorError) -> Unicode.Scalar {
        guard let scalar = current else { throw failure("the text in quotes does not end") }
        at += 1
        switch scalar {
        case "n": return "\n"
        case "t": return "\t"
        case "r": return "\r"
        case "\\", "\"", "'": return scalar
        case "x": return try hexadecimal(2)
        case "u": return try hexadecimal(4)
        case "U": return try hexadecimal(8)
        default:
            at -= 1
            throw failure("the escape '\\\(scalar)' is not known")
        }
    }

    private mutating func hexadecimal(_ count: Int) throws(SelectorError) -> Unicode.Scalar {
        let digits = String(String.UnicodeScalarView(scalars[at..<min(at + count, scalars.count)]))
        guard digits.utf8.count == count, let value = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(value) else {
            throw failure("expected \(count) hexadecimal digits of a character")
        }
        at += count
        return scalar
    }
}
