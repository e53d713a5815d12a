/// The parser of one target's pages. Keep one and reuse it with its `ParsedPage`: after the first page of a size nothing is
/// allocated. One pass over the bytes, O(bytes).
package struct ExpositionParser: Sendable {
    package var format: ExpositionFormat
    /// A page with more rows than this is refused.
    package var maxSeries: Int
    private var scratch: OpenMetricsScratch?

    package init(format: ExpositionFormat, maxSeries: Int = .max) {
        self.format = format
        self.maxSeries = maxSeries
    }

    /// Fills `into` with the rows of a page of at most 4 GiB. After an error `into` is empty: a page counts whole or not at all.
    package mutating func parse(_ page: UnsafeRawBufferPointer, into rows: inout ParsedPage) throws(ExpositionError) {
        rows.removeAll()
        do throws(Fault) {
            try parseRows(page, into: &rows)
        } catch {
            rows.removeAll()
            throw error.located(in: page)
        }
    }

    package mutating func parse(_ page: [UInt8], into rows: inout ParsedPage) throws(ExpositionError) {
        // `withUnsafeBytes` passes on untyped errors only, so the result comes out by value.
        var failure: ExpositionError?
        page.withUnsafeBytes { bytes in
            do throws(ExpositionError) {
                try parse(bytes, into: &rows)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    private mutating func parseRows(_ page: UnsafeRawBufferPointer, into rows: inout ParsedPage) throws(Fault) {
        guard page.count <= Int(UInt32.max) else {
            throw Fault(offset: 0, message: "the page has \(page.count) bytes; at most \(UInt32.max) can be read")
        }
        let cursor = ByteCursor(page)
        switch format {
        case .prometheusText:
            var parser = TextPageParser(cursor: cursor, maxSeries: maxSeries)
            try parser.run(into: &rows)
        case .openMetrics:
            var parser = OpenMetricsPageParser(cursor: cursor, maxSeries: maxSeries, scratch: scratch ?? OpenMetricsScratch())
            scratch = nil  // so that the parser holds the only reference and writes in place
            defer { scratch = parser.scratch }
            try parser.run(into: &rows)
        }
    }
}

func tooManySeries(_ limit: Int, at offset: Int) -> Fault {
    Fault(offset: offset, message: "more than the allowed \(limit) series")
}
