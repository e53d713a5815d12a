/// A set of ranks 0 ..< capacity with the k-th smallest member: one bit a rank, a count for each 512 of them.
struct RankBitmap {
    private static let wordsPerBlock = 8
    private var words: [UInt64]
    private var counts: [Int32]

    init(capacity: Int) {
        let blocks = capacity / (64 * RankBitmap.wordsPerBlock) + 1
        words = [UInt64](repeating: 0, count: blocks * RankBitmap.wordsPerBlock)
        counts = [Int32](repeating: 0, count: blocks)
    }

    /// O(1). The rank is not a member.
    @inline(__always)
    mutating func insert(_ rank: Int) {
        words[rank >> 6] |= 1 << UInt64(rank & 63)
        counts[rank >> 9] &+= 1
    }

    /// O(1). The rank is a member.
    @inline(__always)
    mutating func remove(_ rank: Int) {
        words[rank >> 6] &= ~(1 << UInt64(rank & 63))
        counts[rank >> 9] &-= 1
    }

    /// The member with `k` smaller ones; there is one. O(capacity / 512).
    func member(_ k: Int) -> Int {
        var rest = Int32(truncatingIfNeeded: k)
        var block = 0
        while rest >= counts[block] {
            rest &-= counts[block]
            block += 1
        }
        var word = block * RankBitmap.wordsPerBlock
        while true {
            let count = Int32(words[word].nonzeroBitCount)
            if rest < count { return word << 6 + RankBitmap.bit(words[word], Int(rest)) }
            rest &-= count
            word += 1
        }
    }

    /// The smallest member greater than `rank`; there is one.
    func next(after rank: Int) -> Int {
        var word = (rank + 1) >> 6
        let above = words[word] & (~0 << UInt64((rank + 1) & 63))
        if above != 0 { return word << 6 + above.trailingZeroBitCount }
        repeat { word += 1 } while words[word] == 0
        return word << 6 + words[word].trailingZeroBitCount
    }

    /// The place of set bit number `k`, by halves.
    private static func bit(_ word: UInt64, _ k: Int) -> Int {
        var (word, k, place) = (word, k, 0)
        var width = 32
        while width > 0 {
            let low = (word & ((1 << UInt64(width)) - 1)).nonzeroBitCount
            if k >= low {
                k -= low
                word >>= UInt64(width)
                place += width
            }
            width >>= 1
        }
        return place
    }
}

/// Orders numbers by a radix sort of their bits: six passes of eleven bits.
struct RankSorter {
    private var keys: [UInt64] = []
    private var otherKeys: [UInt64] = []
    private var places: [UInt32] = []
    private var otherPlaces: [UInt32] = []
    private static let passes = 6
    private static let radix = 2_048

    /// The rank of each of the finite `values`, equal ones in the order given, and the values by rank. O(n).
    mutating func rank(_ values: ArraySlice<Double>, ranks: inout [UInt32], sorted: inout [Double]) {
        let n = values.count
        keys.removeAll(keepingCapacity: true)
        for value in values {
            let bits = value.bitPattern
            keys.append(bits >> 63 == 1 ? ~bits : bits | 1 << 63)
        }
        places = (0..<UInt32(truncatingIfNeeded: n)).map { $0 }
        resize(&otherKeys, n, 0)
        resize(&otherPlaces, n, 0)
        var histogram = [Int32](repeating: 0, count: RankSorter.passes * RankSorter.radix)
        for key in keys {
            for pass in 0..<RankSorter.passes {
                histogram[pass * RankSorter.radix + Int(truncatingIfNeeded: key >> UInt64(11 * pass) & 2_047)] &+= 1
            }
        }
        for pass in 0..<RankSorter.passes { sort(pass, n, &histogram) }
        resize(&ranks, n, 0)
        resize(&sorted, n, 0)
        for rank in 0..<n {
            ranks[Int(places[rank])] = UInt32(truncatingIfNeeded: rank)
            let key = keys[rank]
            sorted[rank] = Double(bitPattern: key >> 63 == 1 ? key & ~(1 << 63) : ~key)
        }
    }

    private mutating func sort(_ pass: Int, _ n: Int, _ histogram: inout [Int32]) {
        let base = pass * RankSorter.radix
        let shift = UInt64(11 * pass)
        guard n > 0, histogram[base + Int(truncatingIfNeeded: keys[0] >> shift & 2_047)] < n else { return }
        var sum: Int32 = 0
        for i in base..<(base + RankSorter.radix) {
            let count = histogram[i]
            histogram[i] = sum
            sum &+= count
        }
        keys.withUnsafeBufferPointer { keys in
            places.withUnsafeBufferPointer { places in
                otherKeys.withUnsafeMutableBufferPointer { toKeys in
                    otherPlaces.withUnsafeMutableBufferPointer { toPlaces in
                        histogram.withUnsafeMutableBufferPointer { next in
                            for i in 0..<n {
                                let digit = base + Int(truncatingIfNeeded: keys[i] >> shift & 2_047)
                                let to = Int(next[digit])
                                next[digit] &+= 1
                                toKeys[to] = keys[i]
                                toPlaces[to] = places[i]
                            }
                        }
                    }
                }
            }
        }
        swap(&keys, &otherKeys)
        swap(&places, &otherPlaces)
    }

    private func resize<T>(_ array: inout [T], _ count: Int, _ zero: T) {
        if array.count > count { array.removeLast(array.count - count) }
        if array.count < count { array.append(contentsOf: repeatElement(zero, count: count - array.count)) }
    }
}
