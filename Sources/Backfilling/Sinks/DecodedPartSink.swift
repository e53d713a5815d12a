import History
import Records
import TimeSeries

/// The output of one part for a sink that takes results, not lines: in batches of bounded size.
final class DecodedPartSink: HistoryPartSink {
    /// Results in one batch at most, but for those of the lines that came last.
    static let batchResults = 20_000

    private let part: Int
    private let write: @Sendable (TransformResults) async throws -> Void
    private var decoder: TransformDecoder

    /// Backfilled results have revision 0, the lowest there is: what a live analyzer has given for the same time stays.
    ///
    /// - Parameter write: takes a batch; durable on return.
    init(part: Int, write: @escaping @Sendable (TransformResults) async throws -> Void) {
        self.part = part
        self.write = write
        decoder = TransformDecoder(revision: Revision(rawValue: 0))
    }

    func append(_ lines: [UInt8], types: [Fingerprint: MetricType]) async throws {
        if !types.isEmpty { decoder.types.merge(types) { _, new in new } }
        do { try decoder.add(lines) } catch {
            throw BackfillError(.badRow, "the output of part \(part) cannot be read: \(error)")
        }
        if decoder.count >= DecodedPartSink.batchResults { try await write(decoder.take()) }
    }

    func commit() async throws {
        let rest = decoder.finish()
        if !rest.isEmpty { try await write(rest) }
    }

    func discard() async {}
}
