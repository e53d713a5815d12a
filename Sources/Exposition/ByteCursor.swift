enum Ascii {
    static let tab: UInt8 = 0x09
    static let newline: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20
    static let quote: UInt8 = 0x22
    static let hash: UInt8 = 0x23
    static let comma: UInt8 = 0x2C
    static let equals: UInt8 = 0x3D
    static let backslash: UInt8 = 0x5C
    static let openBrace: UInt8 = 0x7B
    static let closeBrace: UInt8 = 0x7D
}

/// A read position in borrowed bytes. Every read is checked against `end`; the bytes must outlive the cursor.
struct ByteCursor {
    let base: UnsafePointer<UInt8>
    let end: Int
    var at = 0

    /// Stands in for the bytes of an empty buffer, which has no address.
    private static let nothing: StaticString = ""

    init(_ bytes: UnsafeRawBufferPointer) {
        base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? ByteCursor.nothing.utf8Start
        end = bytes.count
    }

    init(base: UnsafePointer<UInt8>, at: Int, end: Int) {
        self.base = base
        self.end = end
        self.at = at
    }

    var isAtEnd: Bool { @inline(__always) get { at >= end } }

    /// The byte at the position; 0 at the end. A zero byte is legal only inside quotes and free text, which do not use this.
    var byte: UInt8 { @inline(__always) get { at < end ? base[at] : 0 } }

    @inline(__always)
    mutating func skipBlanks() {
        while at < end, base[at] == Ascii.space || base[at] == Ascii.tab { at &+= 1 }
    }

    @inline(__always)
    mutating func skip(_ expected: UInt8) -> Bool {
        guard byte == expected, at < end else { return false }
        at &+= 1
        return true
    }

    /// Skips `word` if it stands here.
    @inline(__always)
    mutating func skip(_ word: StaticString) -> Bool {
        guard matches(word, at: at, end: end) else { return false }
        at &+= word.utf8CodeUnitCount
        return true
    }

    /// Whether `word` stands at `start`, wholly before `end`.
    @inline(__always)
    func matches(_ word: StaticString, at start: Int, end: Int) -> Bool {
        let length = word.utf8CodeUnitCount
        guard end &- start >= length else { return false }
        for i in 0..<length where base[start &+ i] != word.utf8Start[i] { return false }
        return true
    }

    @inline(__always)
    func equal(_ a: Int, _ b: Int, count: Int) -> Bool {
        var i = 0
        while i &+ 8 <= count {
            if word(a &+ i) != word(b &+ i) { return false }
            i &+= 8
        }
        while i < count {
            if base[a &+ i] != base[b &+ i] { return false }
            i &+= 1
        }
        return true
    }

    /// The eight bytes at `offset`, the first in the lowest bits. `offset + 8 <= end` is the caller's to know.
    @inline(__always)
    func word(_ offset: Int) -> UInt64 {
        UInt64(littleEndian: UnsafeRawPointer(base + offset).loadUnaligned(as: UInt64.self))
    }

    /// The offset of the next newline, or `end`.
    func lineEnd() -> Int {
        var i = at
        while i &+ 8 <= end {
            let found = zeroBytes(word(i) ^ 0x0A0A_0A0A_0A0A_0A0A)
            if found != 0 { return i &+ found.trailingZeroBitCount >> 3 }
            i &+= 8
        }
        while i < end, base[i] != Ascii.newline { i &+= 1 }
        return i
    }

    /// "expected X, found Y" at the position.
    @inline(never)
    func fault(expected: String) -> Fault {
        Fault(offset: at, message: "expected \(expected), found \(found)")
    }

    private var found: String {
        guard at < end else { return "the end of the page" }
        switch base[at] {
        case Ascii.newline: return "the end of the line"
        case Ascii.carriageReturn: return "a carriage return (lines end with a newline alone)"
        case Ascii.space: return "a space"
        case Ascii.tab: return "a tab"
        case 0x21...0x7E: return "'\(Character(Unicode.Scalar(base[at])))'"
        default:
            let hex = String(base[at], radix: 16)
            return "byte 0x\(hex.utf8.count == 1 ? "0" : "")\(hex)"
        }
    }
}

/// The high bit of each zero byte. Above the lowest zero byte there may be false ones: use the lowest only.
@inline(__always)
func zeroBytes(_ x: UInt64) -> UInt64 {
    (x &- 0x0101_0101_0101_0101) & ~x & 0x8080_8080_8080_8080
}
