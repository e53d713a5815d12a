extension ByteCursor {
    /// Throws at the first byte that does not belong to well-formed UTF-8 (Unicode 15, table 3-7).
    func checkUTF8(from start: Int, to end: Int) throws(Fault) {
        var i = start
        while i < end {
            if i &+ 8 <= end, word(i) & 0x8080_8080_8080_8080 == 0 {
                i &+= 8
                continue
            }
            let length = utf8Length(at: i, end: end)
            guard length > 0 else { throw Fault(offset: i, message: "the text is not UTF-8") }
            i &+= length
        }
    }

    /// The number of bytes of the scalar at `i`, or 0 if it is malformed.
    private func utf8Length(at i: Int, end: Int) -> Int {
        let first = base[i]
        if first < 0x80 { return 1 }
        var low: UInt8 = 0x80
        var high: UInt8 = 0xBF
        let length: Int
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, low) = (3, 0xA0)  // below: overlong
        case 0xED: (length, high) = (3, 0x9F)  // above: surrogates
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, low) = (4, 0x90)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, high) = (4, 0x8F)  // above: beyond U+10FFFF
        default: return 0
        }
        guard end &- i >= length, base[i &+ 1] >= low, base[i &+ 1] <= high else { return 0 }
        for k in 2..<max(length, 2) where base[i &+ k] & 0xC0 != 0x80 { return 0 }
        return length
    }
}
