import Glibc

/// Byte strings to dense numbers: open addressing over one buffer, so that a known key costs a hash and a comparison and no allocation.
struct KeyTable {
    private var slots: [Int32]
    private var hashes: [UInt64] = []
    private var ends: [Int] = []
    private var bytes: [UInt8] = []
    private let seed = UInt64.random(in: 1 ... .max)

    init() { slots = [Int32](repeating: -1, count: 1_024) }

    var count: Int { ends.count }

    func key(_ id: Int) -> ArraySlice<UInt8> { bytes[(id == 0 ? 0 : ends[id - 1])..<ends[id]] }

    /// The number of the key, and whether it is new.
    mutating func intern(_ key: UnsafeBufferPointer<UInt8>) -> (id: Int, isNew: Bool) {
        let hash = hash(key)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] >= 0 {
            let id = Int(slots[slot])
            if hashes[id] == hash, equals(id, key) { return (id, false) }
            slot = (slot + 1) & (slots.count - 1)
        }
        let id = ends.count
        slots[slot] = Int32(truncatingIfNeeded: id)
        hashes.append(hash)
        bytes.append(contentsOf: key)
        ends.append(bytes.count)
        if ends.count * 2 > slots.count { grow() }
        return (id, true)
    }

    /// Whether key number `id` is `key`.
    @inline(__always)
    func equals(_ id: Int, _ key: UnsafeBufferPointer<UInt8>) -> Bool {
        let start = id == 0 ? 0 : ends[id - 1]
        guard ends[id] &- start == key.count else { return false }
        guard let other = key.baseAddress else { return true }
        return bytes.withUnsafeBufferPointer { bytes in
            guard let own = bytes.baseAddress else { return false }
            return memcmp(own + start, other, key.count) == 0
        }
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        for (id, hash) in hashes.enumerated() {
            var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = Int32(truncatingIfNeeded: id)
        }
    }

    @inline(__always)
    private func hash(_ key: UnsafeBufferPointer<UInt8>) -> UInt64 {
        let raw = UnsafeRawBufferPointer(key)
        var h = seed ^ UInt64(truncatingIfNeeded: key.count)
        var i = 0
        while i &+ 8 <= raw.count {
            h = KeyTable.mix(h ^ raw.loadUnaligned(fromByteOffset: i, as: UInt64.self))
            i &+= 8
        }
        var tail: UInt64 = 0
        while i < raw.count {
            tail = tail << 8 | UInt64(raw[i])
            i &+= 1
        }
        return KeyTable.mix(h ^ tail)
    }

    @inline(__always)
    private static func mix(_ x: UInt64) -> UInt64 {
        let (high, low) = x.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return high ^ low
    }
}
