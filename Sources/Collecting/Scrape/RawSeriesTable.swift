import Glibc

/// Finds the number of a series by the raw bytes that name it, without making a String. Bytes are kept one behind the other in one
/// array; lookups go through a seeded 64-bit hash, and equal hashes are told apart by their bytes.
struct RawSeriesTable {
    struct Key {
        var hash: UInt64
        var start: UInt32
        var length: UInt32
        /// The next key with the same hash; -1 ends the chain.
        var next: Int32
        /// What the owner of the table stores with the key.
        var value: Int32
    }

    private(set) var keys: [Key] = []
    private var arena: [UInt8] = []
    private var heads: [UInt64: Int32] = [:]
    private let seed: UInt64

    init(seed: UInt64 = .random(in: .min ... .max)) { self.seed = seed }

    var count: Int { keys.count }

    func value(_ key: Int32) -> Int32 { keys[Int(key)].value }
    mutating func setValue(_ value: Int32, of key: Int32) { keys[Int(key)].value = value }

    func bytes(_ key: Int32) -> ArraySlice<UInt8> {
        let key = keys[Int(key)]
        return arena[Int(key.start)..<(Int(key.start) + Int(key.length))]
    }

    /// Whether `key` has these bytes. O(length).
    @inline(__always)
    func matches(_ key: Int32, _ raw: UnsafeRawBufferPointer) -> Bool {
        let key = keys[Int(key)]
        guard Int(key.length) == raw.count else { return false }
        return arena.withUnsafeBytes { arena in
            guard let known = arena.baseAddress, let asked = raw.baseAddress else { return raw.isEmpty }
            return memcmp(known + Int(key.start), asked, raw.count) == 0
        }
    }

    /// The key with these bytes. O(length).
    func find(_ raw: UnsafeRawBufferPointer) -> Int32? {
        var key = heads[hash(raw)] ?? -1
        while key >= 0 {
            if matches(key, raw) { return key }
            key = keys[Int(key)].next
        }
        return nil
    }

    /// Adds bytes that `find` did not find; nil when the table is full (4 GB of names).
    mutating func insert(_ raw: UnsafeRawBufferPointer, value: Int32) -> Int32? {
        guard arena.count + raw.count <= Int(UInt32.max), keys.count < Int(Int32.max) else { return nil }
        let hash = hash(raw)
        let key = Int32(keys.count)
        keys.append(
            Key(hash: hash, start: UInt32(arena.count), length: UInt32(raw.count), next: heads[hash] ?? -1, value: value))
        arena.append(contentsOf: raw)
        heads[hash] = key
        return key
    }

    /// Eight bytes a step, in the manner of wyhash's multiply and fold.
    private func hash(_ raw: UnsafeRawBufferPointer) -> UInt64 {
        var h = seed ^ UInt64(raw.count)
        var at = 0
        while at + 8 <= raw.count {
            h = RawSeriesTable.fold(h ^ raw.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            at += 8
        }
        var rest: UInt64 = 0
        while at < raw.count {
            rest = rest << 8 | UInt64(raw[at])
            at += 1
        }
        return RawSeriesTable.fold(h ^ rest)
    }

    @inline(__always)
    private static func fold(_ x: UInt64) -> UInt64 {
        let (high, low) = (x ^ 0xa076_1d64_78bd_642f).multipliedFullWidth(by: 0xe703_7ed1_a0b4_28db)
        return high ^ low
    }
}
