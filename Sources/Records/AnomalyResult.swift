import TimeSeries

/// An incident of one series, as far as it is known at `time`. Series and onset are its key: the version with the later time, then the
/// higher revision, replaces the others.
package struct AnomalyResult: Sendable, Equatable {
    package var series: SeriesKey
    /// Time of the sample that brought this version.
    package var time: Milliseconds
    package var revision: Revision
    /// Time of the first suspicious sample.
    package var onset: Milliseconds
    /// Time of the last suspicious sample; nil while the incident lasts.
    package var end: Milliseconds?
    /// 0-1: -log10 p / 10 of the most surprising sample.
    package var score: Double
    /// The forecast of the most surprising sample, and the sample.
    package var expected: Double?
    package var seen: Double?
    /// What the incident is seen by, as `level up`.
    package var cause: String

    package init(
        series: SeriesKey, time: Milliseconds, revision: Revision, onset: Milliseconds, end: Milliseconds?, score: Double,
        expected: Double?,
        seen: Double?, cause: String
    ) {
        self.series = series
        self.time = time
        self.revision = revision
        self.onset = onset
        self.end = end
        self.score = score
        self.expected = expected
        self.seen = seen
        self.cause = cause
    }
}

extension AnomalyResult: WireResult {
    func writeMembers(_ writer: inout JSONWriter) {
        writer.member("onset", onset)
        writer.member("end", end.map { JSONValue.int($0) } ?? .null)
        writer.member("score", score)
        writer.member("expected", expected)
        writer.member("seen", seen)
        writer.member("cause", cause)
    }

    init(series: SeriesKey, time: Milliseconds, revision: Revision, json: JSONValue) throws(RecordError) {
        guard let onset = json["onset"]?.int64Value, let score = json["score"]?.doubleValue, let cause = json["cause"]?.stringValue else {
            throw RecordError("an anomaly lacks 'onset', 'score' or 'cause'")
        }
        self.init(
            series: series, time: time, revision: revision, onset: onset, end: json["end"]?.int64Value, score: score,
            expected: json["expected"]?.doubleValue, seen: json["seen"]?.doubleValue, cause: cause)
    }
}
