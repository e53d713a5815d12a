/// Strings, and values of members that are not known.
extension EventReader {
    /// The text whose opening quote is behind, read past its closing quote.
    @inline(__always)
    mutating func content() throws(MalformedEvent) -> TextRange {
        let start = at
        var i = at
        let count = bytes.count
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        while i + 8 <= count {
            let w = word(i)
            let quote = w ^ (ones &* 0x22)
            let slash = w ^ (ones &* 0x5C)
            // The lowest marked byte is right: a borrow only reaches bytes above it. Bytes from 0x80 are not marked.
            let marks = (((quote &- ones) & ~quote) | ((slash &- ones) & ~slash) | ((w &- ones &* 0x20) & ~w)) & highs
            if marks != 0 {
                i += marks.trailingZeroBitCount >> 3
                if bytes[i] == 0x22 {
                    at = i + 1
                    return TextRange(start: start, count: i - start)
                }
                return try escaped(start, i)
            }
            i += 8
        }
        while i < count {
            let byte = bytes[i]
            if byte == 0x22 {
                at = i + 1
                return TextRange(start: start, count: i - start)
            }
            if byte == 0x5C || byte < 0x20 { return try escaped(start, i) }
            i += 1
        }
        at = count
        throw fault(.endsEarly, "the event ends within a text")
    }

    /// The rest of a text with its first escape or control character at `place`.
    @inline(never)
    private mutating func escaped(_ start: Int, _ place: Int) throws(MalformedEvent) -> TextRange {
        let begin = scratch.count
        scratch.append(contentsOf: bytes[start..<place])
        at = place
        while at < bytes.count {
            let byte = bytes[at]
            if byte == 0x22 {
                at += 1
                return TextRange(start: begin, count: scratch.count - begin, isUnescaped: true)
            }
            if byte < 0x20 { throw fault(.controlCharacter, "a text holds a control character") }
            at += 1
            if byte != 0x5C {
                scratch.append(byte)
                continue
            }
            guard at < bytes.count else { break }
            let escape = bytes[at]
            at += 1
            switch escape {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): scratch.append(escape)
            case UInt8(ascii: "b"): scratch.append(8)
            case UInt8(ascii: "f"): scratch.append(12)
            case UInt8(ascii: "n"): scratch.append(10)
            case UInt8(ascii: "r"): scratch.append(13)
            case UInt8(ascii: "t"): scratch.append(9)
            case UInt8(ascii: "u"): try unicodeEscape()
            default: throw fault(.badEscape, "an escape that JSON does not know", at: at - 2)
            }
        }
        throw fault(.endsEarly, "the event ends within a text")
    }

    private mutating func unicodeEscape() throws(MalformedEvent) {
        let place = at - 2
        var code = try fourDigits()
        if code >= 0xD800 && code < 0xE000 {
            guard code < 0xDC00, at + 6 <= bytes.count, bytes[at] == 0x5C, bytes[at + 1] == UInt8(ascii: "u") else {
                throw fault(.badEscape, "half of a pair of \\u escapes", at: place)
            }
            at += 2
            let low = try fourDigits()
            guard low >= 0xDC00, low < 0xE000 else { throw fault(.badEscape, "half of a pair of \\u escapes", at: place) }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw fault(.badEscape, "no character has this code", at: place) }
        scratch.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
    }

    private mutating func fourDigits() throws(MalformedEvent) -> UInt32 {
        guard at + 4 <= bytes.count else { throw fault(.endsEarly, "the event ends within a text", at: bytes.count) }
        var code: UInt32 = 0
        for i in at..<(at + 4) {
            guard let digit = hexDigit(bytes[i]) else { throw fault(.badEscape, "\\u wants four hexadecimal digits", at: at - 2) }
            code = code << 4 | UInt32(digit)
        }
        at += 4
        return code
    }

    // MARK: Unknown members

    mutating func skipValue(depth: Int) throws(MalformedEvent) {
        guard at < bytes.count else { throw fault(.endsEarly, "the event ends too early") }
        switch bytes[at] {
        case UInt8(ascii: "\""):
            at += 1
            let kept = scratch.count
            _ = try content()
            scratch.removeSubrange(kept...)
        case UInt8(ascii: "{"): try skipNested(depth: depth, close: UInt8(ascii: "}"))
        case UInt8(ascii: "["): try skipNested(depth: depth, close: UInt8(ascii: "]"))
        case UInt8(ascii: "t"): try skipWord("true")
        case UInt8(ascii: "f"): try skipWord("false")
        case UInt8(ascii: "n"): try skipWord("null")
        case UInt8(ascii: "-"), 0x30...0x39:
            guard let end = NumberText.end(bytes, from: at) else { throw fault(.badNumber, "a number is malformed") }
            at = end
        default: throw fault(.syntax, "a value was expected")
        }
    }

    private mutating func skipNested(depth: Int, close: UInt8) throws(MalformedEvent) {
        guard depth < 64 else { throw fault(.tooDeep, "more than 64 levels of nesting") }
        at += 1
        skipSpace()
        if at < bytes.count, bytes[at] == close {
            at += 1
            return
        }
        while true {
            skipSpace()
            if close == UInt8(ascii: "}") {
                try expect(UInt8(ascii: "\""), "the name of a member")
                at -= 1
                try skipValue(depth: depth + 1)
                skipSpace()
                try expect(UInt8(ascii: ":"), "a colon")
                skipSpace()
            }
            try skipValue(depth: depth + 1)
            skipSpace()
            guard at < bytes.count else { throw fault(.endsEarly, "the event ends too early") }
            let byte = bytes[at]
            at += 1
            if byte == close { return }
            if byte != UInt8(ascii: ",") { throw fault(.syntax, "a comma or a closing bracket was expected", at: at - 1) }
        }
    }

    mutating func skipWord(_ word: StaticString) throws(MalformedEvent) {
        for i in 0..<word.utf8CodeUnitCount {
            guard at + i < bytes.count else { throw fault(.endsEarly, "the event ends too early", at: bytes.count) }
            guard bytes[at + i] == word.utf8Start[i] else { throw fault(.syntax, "a value was expected") }
        }
        at += word.utf8CodeUnitCount
    }
}
