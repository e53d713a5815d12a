import History
import Records
import TimeSeries

/// Collects the results of a part's lines into batches of bounded size.
struct DecodedPart {
    /// Results in one batch at most, but for those of the lines that came last.
    static let batchResults = 20_000

    private var decoder: TransformDecoder
    private let part: Int

    /// Backfilled results have revision 0, the lowest there is: what a live analyzer has given for the same time stays.
    init(part: Int) {
        decoder = TransformDecoder(revision: Revision(rawValue: 0))
        self.part = part
    }

    /// A batch when there is enough for one.
    mutating func add(_ lines: [UInt8], types: [Fingerprint: MetricType]) throws(BackfillError) -> TransformResults? {
        if !types.isEmpty { decoder.types.merge(types) { _, new in new } }
        do { try decoder.add(lines) } catch {
            throw BackfillError(.badRow, "the output of part \(part) cannot be read: \(error)")
        }
        return decoder.count >= DecodedPart.batchResults ? decoder.take() : nil
    }

    mutating func finish() -> TransformResults { decoder.finish() }
}
