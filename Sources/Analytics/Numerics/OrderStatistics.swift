/// Order statistics without sorting everything.
package enum OrderStatistics {
    /// Reorders `values` so that the values at the given ranks stand where sorting would put them.
    ///
    /// - Parameter ranks: ascending, each in 0 ..< values.count.
    /// Multiple quickselect with a median-of-three pivot. Complexity: O(n log r) expected for r ranks.
    package static func select(_ ranks: [Int], in values: inout [Double]) {
        let count = values.count
        values.withUnsafeMutableBufferPointer { values in
            ranks.withUnsafeBufferPointer { ranks in
                select(ranks[...], values, 0, count)
            }
        }
    }

    /// The lower median; nil for no values. Complexity: O(n) expected.
    package static func median(_ values: inout [Double]) -> Double? {
        guard !values.isEmpty else { return nil }
        let middle = (values.count - 1) / 2
        select([middle], in: &values)
        return values[middle]
    }

    private static func select(
        _ ranks: Slice<UnsafeBufferPointer<Int>>, _ x: UnsafeMutableBufferPointer<Double>, _ start: Int, _ end: Int
    ) {
        var (ranks, start, end) = (ranks, start, end)
        while let first = ranks.first, end - start > 12 {
            // One rank per step shrinks the range; several split it.
            let split = partition(x, start, end)
            let cut = ranks.firstIndex { $0 >= split } ?? ranks.endIndex
            if cut == ranks.endIndex {
                end = split
            } else if first >= split {
                start = split
            } else {
                select(ranks[..<cut], x, start, split)
                ranks = ranks[cut...]
                start = split
            }
        }
        if !ranks.isEmpty { insertionSort(x, start, end) }
    }

    /// Hoare's scheme: returns s with start < s < end, nothing before s larger than anything from s on.
    private static func partition(_ x: UnsafeMutableBufferPointer<Double>, _ start: Int, _ end: Int) -> Int {
        let (a, b, c) = (x[start], x[(start + end) / 2], x[end - 1])
        let pivot = max(min(a, b), min(max(a, b), c))
        var i = start
        var j = end - 1
        while true {
            while x[i] < pivot { i += 1 }
            while x[j] > pivot { j -= 1 }
            if i >= j { return i == start ? start + 1 : i }
            x.swapAt(i, j)
            i += 1
            j -= 1
        }
    }

    private static func insertionSort(_ x: UnsafeMutableBufferPointer<Double>, _ start: Int, _ end: Int) {
        guard end - start > 1 else { return }
        for i in (start + 1)..<end {
            let value = x[i]
            var j = i
            while j > start, x[j - 1] > value {
                x[j] = x[j - 1]
                j -= 1
            }
            x[j] = value
        }
    }
}
