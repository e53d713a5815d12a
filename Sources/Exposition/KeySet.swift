/// A set of 64-bit keys that are already hashes: open addressing in memory that is kept for the next use. The position of a key
/// depends on a secret, so that a page cannot be written to make it slow.
struct KeySet: Sendable {
    private static let smallest = 64

    /// Zero marks a free slot. Only the first `capacity` slots are in use, the others are zero: after a large family the next
    /// small one stays within the processor's cache and is cleared quickly.
    private var slots: [UInt64] = Array(repeating: 0, count: smallest)
    private var spare: [UInt64] = []
    private var capacity = smallest
    private var count = 0
    private let secret = UInt64.random(in: .min ... .max)

    /// O(keys).
    mutating func removeAll() {
        if count == 0 { return }
        for i in 0..<capacity { slots[i] = 0 }
        capacity = KeySet.smallest
        count = 0
    }

    /// Whether the key was new. O(1) expected.
    mutating func insert(_ key: UInt64) -> Bool {
        if count &* 2 >= capacity { grow() }
        let key = key == 0 ? 1 : key
        var slot = position(of: key)
        while slots[slot] != 0 {
            if slots[slot] == key { return false }
            slot = (slot &+ 1) & (capacity &- 1)
        }
        slots[slot] = key
        count &+= 1
        return true
    }

    private func position(of key: UInt64) -> Int {
        Int(truncatingIfNeeded: folded(key, secret)) & (capacity &- 1)
    }

    private mutating func grow() {
        let used = capacity
        capacity *= 2
        swap(&slots, &spare)
        if slots.count < capacity { slots = Array(repeating: 0, count: capacity) }
        for i in 0..<used where spare[i] != 0 {
            var slot = position(of: spare[i])
            while slots[slot] != 0 { slot = (slot &+ 1) & (capacity &- 1) }
            slots[slot] = spare[i]
            spare[i] = 0
        }
    }
}

/// The two halves of the full product, xored: one good mixing step.
@inline(__always)
func folded(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let (high, low) = (a ^ 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(by: b ^ 0xD1B5_4A32_D192_ED03)
    return high ^ low
}

extension ByteCursor {
    /// A hash of bytes `start ..< end`, for comparison within one page only.
    @inline(__always)
    func hash(from start: Int, to end: Int, seed: UInt64) -> UInt64 {
        var h = seed ^ UInt64(truncatingIfNeeded: end &- start)
        var i = start
        while i &+ 8 <= end {
            h = folded(h, word(i))
            i &+= 8
        }
        var rest: UInt64 = 0
        while i < end {
            rest = rest << 8 | UInt64(base[i])
            i &+= 1
        }
        return folded(h, rest)
    }

    /// A hash of the bytes followed by `suffix`, equal for equal text however it is cut into the two.
    func hash(_ name: Span, _ suffix: StaticString, seed: UInt64) -> UInt64 {
        var h = seed
        for i in name.start..<name.end { h = folded(h, UInt64(base[i])) }
        for i in 0..<suffix.utf8CodeUnitCount { h = folded(h, UInt64(suffix.utf8Start[i])) }
        return h
    }
}
