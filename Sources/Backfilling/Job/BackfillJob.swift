import History
import Storage
import TimeSeries

/// What becomes of a row that cannot be read.
package enum BadRows: String, Sendable, CaseIterable {
    /// The job ends and names the row.
    case fail
    /// It is left out and counted.
    case skip
}

/// What a job is, whichever machine does it: what the command line asked for. Its `identity` goes into the journal, so that a state folder is
/// never used for another job.
package struct BackfillJob: Sendable {
    /// As given: a path, `store`, `sqlite:PATH`, `prometheus:URL`, a table.
    package var input: String
    /// As given: `files:DIR`, `store`, `topic`.
    package var output: String
    package var options: HistoryOptions
    /// Of each list all must hold; a series is taken if one list matches. Empty takes all.
    package var selectors: [[LabelMatcher]] = []
    /// `selectors` as they were written.
    package var match: [String] = []
    package var badRows = BadRows.fail
    /// What the reader of the input adds: sizes and times of files, a format, a number of buckets. Name and value, in order.
    package var details: [(name: String, value: String)] = []

    package init(input: String, output: String, options: HistoryOptions) {
        self.input = input
        self.output = output
        self.options = options
    }

    /// Name and value of all that decides the result, in order.
    package var identity: [(name: String, value: String)] {
        [
            ("input", input), ("output", output), ("options", options.transformArguments.joined(separator: " ")),
            ("match", match.joined(separator: " ")), ("bad rows", badRows.rawValue),
        ] + details
    }
}
