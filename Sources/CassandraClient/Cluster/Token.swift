/// The place of a partition on the ring.
package struct Token: Sendable, Hashable, Comparable {
    package let value: Int64

    package init(value: Int64) { self.value = value }

    /// Of a partition key's bytes, as Murmur3Partitioner computes it. That is the first half of MurmurHash3 x64 128 (A. Appleby), but bytes
    /// of the tail count as signed, and the least number is not used.
    package init(key: [UInt8]) {
        let hash = key.withUnsafeBytes { Token.murmur3($0) }
        value = hash == .min ? .max : hash
    }

    package static func < (a: Token, b: Token) -> Bool { a.value < b.value }

    /// Nil for a text that is no number, as other partitioners have them.
    package init?(_ text: String) {
        guard let value = Int64(text) else { return nil }
        self.value = value
    }

    private static func murmur3(_ bytes: UnsafeRawBufferPointer) -> Int64 {
        let c1: UInt64 = 0x87C3_7B91_1142_53D5
        let c2: UInt64 = 0x4CF5_AD43_2745_937F
        var h1: UInt64 = 0
        var h2: UInt64 = 0
        let blocks = bytes.count / 16
        for i in 0..<blocks {
            let k1 = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: i * 16, as: UInt64.self))
            let k2 = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: i * 16 + 8, as: UInt64.self))
            h1 ^= rotated(k1 &* c1, 31) &* c2
            h1 = (rotated(h1, 27) &+ h2) &* 5 &+ 0x52DC_E729
            h2 ^= rotated(k2 &* c2, 33) &* c1
            h2 = (rotated(h2, 31) &+ h1) &* 5 &+ 0x3849_5AB5
        }
        var k1: UInt64 = 0
        var k2: UInt64 = 0
        for i in stride(from: bytes.count - 1, through: blocks * 16, by: -1) {
            let byte = UInt64(bitPattern: Int64(Int8(bitPattern: bytes[i])))
            let place = i - blocks * 16
            if place >= 8 { k2 ^= byte << UInt64(8 * (place - 8)) } else { k1 ^= byte << UInt64(8 * place) }
        }
        h2 ^= rotated(k2 &* c2, 33) &* c1
        h1 ^= rotated(k1 &* c1, 31) &* c2
        h1 ^= UInt64(bytes.count)
        h2 ^= UInt64(bytes.count)
        h1 &+= h2
        h2 &+= h1
        return Int64(bitPattern: mixed(h1) &+ mixed(h2))
    }

    private static func rotated(_ x: UInt64, _ bits: UInt64) -> UInt64 { x << bits | x >> (64 - bits) }

    private static func mixed(_ x: UInt64) -> UInt64 {
        var k = x
        k ^= k >> 33
        k = k &* 0xFF51_AFD7_ED55_8CCD
        k ^= k >> 33
        k = k &* 0xC4CE_B9FE_1A85_EC53
        return k ^ k >> 33
    }
}
