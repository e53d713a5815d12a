/// The stable 128-bit identity of a series: MurmurHash3_x64_128 with seed 0 over `LabelSet.canonicalBytes`.
///
/// Written as 32 hexadecimal digits, `high` first. The function is Austin Appleby's public-domain MurmurHash3
/// (https://github.com/aappleby/smhasher); docs/formats/identity.md has test vectors.
package struct Fingerprint: Hashable, Sendable, Comparable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package init(hashing bytes: [UInt8]) {
        (high, low) = bytes.withUnsafeBytes { murmurHash3(UnsafeRawBufferPointer($0)) }
    }

    /// Reads 32 hexadecimal digits; nil for anything else.
    package init?(_ text: some StringProtocol) {
        guard text.utf8.count == 32, text.utf8.allSatisfy({ Fingerprint.isHexDigit($0) }),
            let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    private static func isHexDigit(_ c: UInt8) -> Bool {
        (0x30...0x39).contains(c) || (0x61...0x66).contains(c) || (0x41...0x46).contains(c)
    }

    package static func < (a: Fingerprint, b: Fingerprint) -> Bool { (a.high, a.low) < (b.high, b.low) }

    /// The shard that owns the series, for ever.
    package var shard: Shard { Shard(UInt16(truncatingIfNeeded: low & UInt64(Shard.count - 1))) }
}

extension Fingerprint: CustomStringConvertible {
    package var description: String { Fingerprint.hex(high) + Fingerprint.hex(low) }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}

/// One of the 1,024 parts into which all series are divided, for ever: the low ten bits of the fingerprint.
package struct Shard: Hashable, Sendable, Comparable, CustomStringConvertible {
    package static let count = 1024
    package let index: UInt16

    package init(_ index: UInt16) { self.index = index & UInt16(Shard.count - 1) }
    package static func < (a: Shard, b: Shard) -> Bool { a.index < b.index }
    package var description: String { "\(index)" }
}

/// MurmurHash3_x64_128, seed 0. O(n).
func murmurHash3(_ bytes: UnsafeRawBufferPointer) -> (UInt64, UInt64) {
    let c1: UInt64 = 0x87c3_7b91_1142_53d5
    let c2: UInt64 = 0x4cf5_ad43_2745_937f
    var h1: UInt64 = 0
    var h2: UInt64 = 0
    let blocks = bytes.count / 16
    for i in 0..<blocks {
        let k1 = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: i * 16, as: UInt64.self))
        let k2 = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: i * 16 + 8, as: UInt64.self))
        h1 ^= rotated(k1 &* c1, 31) &* c2
        h1 = (rotated(h1, 27) &+ h2) &* 5 &+ 0x52dc_e729
        h2 ^= rotated(k2 &* c2, 33) &* c1
        h2 = (rotated(h2, 31) &+ h1) &* 5 &+ 0x3849_5ab5
    }
    var k1: UInt64 = 0
    var k2: UInt64 = 0
    let tail = blocks * 16
    for i in tail..<bytes.count {
        let byte = UInt64(bytes[i])
        let at = i - tail
        if at < 8 { k1 |= byte << UInt64(8 * at) } else { k2 |= byte << UInt64(8 * (at - 8)) }
    }
    h2 ^= rotated(k2 &* c2, 33) &* c1
    h1 ^= rotated(k1 &* c1, 31) &* c2
    h1 ^= UInt64(bytes.count)
    h2 ^= UInt64(bytes.count)
    h1 = h1 &+ h2
    h2 = h2 &+ h1
    h1 = mixed(h1)
    h2 = mixed(h2)
    h1 = h1 &+ h2
    h2 = h2 &+ h1
    return (h1, h2)
}

private func rotated(_ x: UInt64, _ r: UInt64) -> UInt64 { (x << r) | (x >> (64 - r)) }

private func mixed(_ value: UInt64) -> UInt64 {
    var k = value
    k ^= k >> 33
    k = k &* 0xff51_afd7_ed55_8ccd
    k ^= k >> 33
    k = k &* 0xc4ce_b9fe_1a85_ec53
    k ^= k >> 33
    return k
}
