import Glibc

/// Powers of ten that a double holds exactly.
private let exactPowers: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
]

/// What `ByteCursor.number` needs beside the bytes; made once per page so that the table is reached without a lazy global.
struct NumberParser {
    /// Hexadecimal floats such as `0x1p-3`, which Go's ParseFloat accepts and OpenMetrics does not.
    let allowsHex: Bool
    private let powers: [Double] = exactPowers

    init(allowsHex: Bool) { self.allowsHex = allowsHex }

    /// Reads the number that stands at the cursor up to a blank, a newline or the end: bit for bit what `strtod` makes of it,
    /// rounded to nearest, infinite beyond the range. Nil, with the cursor unmoved, if it is none.
    ///
    /// Up to 19 digits whose value stays within 2^53 and a power of ten within 10^22 take one exact multiplication or division
    /// (Clinger, "How to read floating point numbers accurately", 1990); the rest goes to `strtod`.
    @inline(__always)
    func parse(_ cursor: inout ByteCursor) -> Double? {
        let base = cursor.base
        let end = cursor.end
        var i = cursor.at
        let negative = i < end && base[i] == 0x2D
        if negative { i &+= 1 }
        var mantissa: UInt64 = 0
        var exponent = 0
        let firstDigit = i
        while i < end, base[i] &- 0x30 < 10 {
            mantissa = mantissa &* 10 &+ UInt64(base[i] &- 0x30)
            i &+= 1
        }
        var digits = i &- firstDigit
        if i < end, base[i] == 0x2E {
            i &+= 1
            let firstFraction = i
            while i < end, base[i] &- 0x30 < 10 {
                mantissa = mantissa &* 10 &+ UInt64(base[i] &- 0x30)
                i &+= 1
            }
            exponent = firstFraction &- i
            digits &-= exponent
        }
        if i < end, base[i] | 0x20 == 0x65, let written = NumberParser.exponent(base, &i, end) { exponent &+= written }
        guard digits &- 1 < 19, digits > 0, mantissa <= 1 << 53, exponent >= -22, exponent <= 22, isDelimiter(base, i, end) else {
            return parseSlowly(&cursor)
        }
        cursor.at = i
        var value = Double(Int64(truncatingIfNeeded: mantissa))
        if exponent < 0 {
            value /= powers[0 &- exponent]
        } else if exponent > 0 {
            value *= powers[exponent]
        }
        return negative ? -value : value
    }

    /// The number that is the whole of a span of the page.
    func parse(_ span: Span, in cursor: ByteCursor) -> Double? {
        guard !span.escaped, span.count > 0 else { return nil }
        var part = ByteCursor(base: cursor.base, at: span.start, end: span.end)
        guard let value = parse(&part), part.isAtEnd else { return nil }
        return value
    }

    /// The exponent behind an `e` at `i`, if at most four digits; moves `i` behind it.
    @inline(__always)
    private static func exponent(_ base: UnsafePointer<UInt8>, _ i: inout Int, _ end: Int) -> Int? {
        var k = i &+ 1
        var negative = false
        if k < end, base[k] == 0x2B || base[k] == 0x2D {
            negative = base[k] == 0x2D
            k &+= 1
        }
        let first = k
        var value = 0
        while k < end, k &- first < 4, base[k] &- 0x30 < 10 {
            value = value &* 10 &+ Int(base[k] &- 0x30)
            k &+= 1
        }
        guard k > first else { return nil }
        i = k
        return negative ? 0 &- value : value
    }

    @inline(__always)
    private func isDelimiter(_ base: UnsafePointer<UInt8>, _ i: Int, _ end: Int) -> Bool {
        i >= end || base[i] == Ascii.newline || base[i] == Ascii.space || base[i] == Ascii.tab
    }

    @inline(never)
    private func parseSlowly(_ cursor: inout ByteCursor) -> Double? {
        var stop = cursor.at
        while !isDelimiter(cursor.base, stop, cursor.end) { stop += 1 }
        let token = UnsafeBufferPointer(start: cursor.base + cursor.at, count: stop - cursor.at)
        guard let value = NumberGrammar(token).value(allowsHex: allowsHex) else { return nil }
        cursor.at = stop
        return value
    }
}

/// The full grammar of a number, checked before `strtod`, which would accept more (blanks, locale, `nan(...)`).
private struct NumberGrammar {
    let token: UnsafeBufferPointer<UInt8>

    init(_ token: UnsafeBufferPointer<UInt8>) { self.token = token }

    func value(allowsHex: Bool) -> Double? {
        var i = 0
        var negative = false
        if let first = token.first, first == 0x2B || first == 0x2D {
            negative = first == 0x2D
            i = 1
        }
        if isWord("inf", from: i) || isWord("infinity", from: i) { return negative ? -.infinity : .infinity }
        if i == 0 && isWord("nan", from: 0) { return .nan }
        guard isDecimal(from: i) || (allowsHex && isHexadecimal(from: i)) else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: token.count + 1) { copy in
            for (k, byte) in token.enumerated() { copy.initializeElement(at: k, to: CChar(bitPattern: byte)) }
            copy.initializeElement(at: token.count, to: 0)
            return copy.baseAddress.map { strtod($0, nil) }
        }
    }

    private func isWord(_ word: StaticString, from start: Int) -> Bool {
        guard token.count - start == word.utf8CodeUnitCount else { return false }
        for k in start..<token.count where token[k] | 0x20 != word.utf8Start[k - start] { return false }
        return true
    }

    private func isDecimal(from start: Int) -> Bool {
        var i = start
        guard skipMantissa(&i, isDigit: { $0 &- 0x30 < 10 }) else { return false }
        return i == token.count || isExponent(from: i, letter: 0x65)
    }

    private func isHexadecimal(from start: Int) -> Bool {
        guard token.count - start > 2, token[start] == 0x30, token[start + 1] | 0x20 == 0x78 else { return false }
        var i = start + 2
        guard skipMantissa(&i, isDigit: { $0 &- 0x30 < 10 || ($0 | 0x20) &- 0x61 < 6 }) else { return false }
        return isExponent(from: i, letter: 0x70)
    }

    /// Digits with at most one point among them, at least one digit.
    private func skipMantissa(_ i: inout Int, isDigit: (UInt8) -> Bool) -> Bool {
        var digits = 0
        var points = 0
        while i < token.count {
            if isDigit(token[i]) {
                digits += 1
            } else if token[i] == 0x2E && points == 0 {
                points = 1
            } else {
                break
            }
            i += 1
        }
        return digits > 0
    }

    private func isExponent(from start: Int, letter: UInt8) -> Bool {
        guard start < token.count, token[start] | 0x20 == letter else { return false }
        var i = start + 1
        if i < token.count, token[i] == 0x2B || token[i] == 0x2D { i += 1 }
        let first = i
        while i < token.count, token[i] &- 0x30 < 10 { i += 1 }
        return i > first && i == token.count
    }
}
