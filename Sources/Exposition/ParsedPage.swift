/// A parsed page in columns, one row a sample, in the order of the page. Made to be reused from page to page: the arrays keep
/// their capacity.
package struct ParsedPage: Sendable {
    /// Bytes `seriesStart[i] ..< seriesStart[i] + seriesLength[i]` of the page are row i's series as written, `name{a="b"}`,
    /// without blanks around it. Equal bytes are the same series; one series may be written in several ways.
    package var seriesStart: [UInt32] = []
    package var seriesLength: [UInt32] = []
    /// A NaN is always the default quiet one, never a staleness marker.
    package var values: [Double] = []
    /// Milliseconds since the epoch, UTC; `noTime` where the page gives none.
    package var times: [Int64] = []
    package var types: [RowType] = []

    /// Stands in `times` for a sample without a timestamp.
    package static let noTime = Int64.min

    package init() {}

    package var count: Int { values.count }

    /// The bytes of row i's series text within the page's bytes.
    package func seriesRange(_ row: Int) -> Range<Int> {
        let start = Int(seriesStart[row])
        return start..<(start + Int(seriesLength[row]))
    }

    package mutating func removeAll() {
        seriesStart.removeAll(keepingCapacity: true)
        seriesLength.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
        times.removeAll(keepingCapacity: true)
        types.removeAll(keepingCapacity: true)
    }

    @inline(__always)
    mutating func append(start: Int, length: Int, value: Double, time: Int64, type: RowType) {
        seriesStart.append(UInt32(truncatingIfNeeded: start))
        seriesLength.append(UInt32(truncatingIfNeeded: length))
        values.append(value)
        times.append(time)
        types.append(type)
    }
}
