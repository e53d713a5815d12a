import TimeSeries

/// Where the results of a job go. The seam between who computes, on this machine or on a cluster, and who keeps.
///
/// A job is divided into parts with stable numbers. The output of a part is text: lines as `almanac transform` writes them (`TransformLine`),
/// the series of a part sorted by the bytes of their text, the lines of a series as they were computed. Parts may be written at the same
/// time, one task each. What was written of a part that did not `commit` may be there or not; the part is computed again, and writing it
/// again gives the same.
package protocol HistorySink: Sendable {
    /// Begins a part. Throws `BackfillError`.
    func open(part: Int) async throws -> any HistoryPartSink

    /// Throws `BackfillError` where the output of parts that the journal calls done is not there any more.
    func check(done parts: Set<Int>) async throws

    /// All parts are committed: what is left to do. Throws `BackfillError`.
    func finish() async throws

    /// Frees what it holds; nothing of a part that is not committed counts.
    func close() async
}

/// The output of one part; its methods are called by one task at a time.
package protocol HistoryPartSink: AnyObject {
    /// Takes whole lines, each with its line end; some hundred KB at once serve best. Waits while the output is behind.
    ///
    /// - Parameter types: of series whose names do not tell it (`MetricType.guess`); a line of text has no type.
    func append(_ lines: [UInt8], types: [Fingerprint: MetricType]) async throws

    /// The part is whole. Durable on return; then it may stand in the journal.
    func commit() async throws

    /// The part is given up; what is held of it goes.
    func discard() async
}

extension HistorySink {
    package func check(done parts: Set<Int>) async throws {}
}

extension HistoryPartSink {
    package func append(_ lines: [UInt8]) async throws { try await append(lines, types: [:]) }
}
