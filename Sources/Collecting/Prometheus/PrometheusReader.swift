import Messaging
import Records
import TimeSeries

/// What one Prometheus server's rounds keep between them: turns the answers of one piece of time into records.
/// Pure: answers go in, records come out.
struct PrometheusReader {
    /// The answer to one query.
    struct Answer: Sendable {
        /// -1 for a selector, else the number of the expression.
        var expression: Int
        /// Samples up to here are left out: they belong to the piece before.
        var after: Milliseconds
        var columns: MatrixColumns
    }

    private let options: PrometheusOptions
    private var rules: MetricRules
    private var ledger = SeriesLedger()
    private var encoder: PieceEncoder
    /// Replaced whenever the server's metadata has been read again.
    var declared = DeclaredTypes()

    init(_ options: PrometheusOptions, topic: String) {
        self.options = options
        rules = MetricRules(types: options.types)
        encoder = PieceEncoder(topic: topic, sourceName: options.sourceName)
    }

    /// Series that are remembered.
    var seriesCount: Int { ledger.count }

    /// The records of a piece that ends at `to`, after which the source promises to be complete up to there.
    mutating func records(_ answers: [Answer], upTo to: Milliseconds) -> ScrapeRecords {
        ledger.beginPiece()
        for answer in answers { take(answer) }
        ledger.finishPiece(upTo: to, horizon: to - options.overlap)
        let records = encode(watermark: to)
        if ledger.forgetEnded(before: to - 2 * options.lookback) { encoder.forget() }
        return records
    }

    /// Staleness markers for all series.
    mutating func end(at time: Milliseconds) -> ScrapeRecords {
        ledger.beginPiece()
        ledger.endAll(at: time)
        return encode(watermark: time)
    }

    private mutating func encode(watermark: Milliseconds) -> ScrapeRecords {
        let (ledger, declared, options) = (ledger, declared, options)
        // Moved out and back, so that its memory of verdicts is neither copied nor lost.
        var rules = MetricRules()
        swap(&rules, &self.rules)
        defer { swap(&rules, &self.rules) }
        return encoder.records(ledger, watermark: watermark) { number in
            let labels = PrometheusReader.decoded(ledger.key(number), options) ?? LabelSet([])
            let name = labels.name
            return (labels, rules.verdict(for: name).type ?? declared.type(of: name) ?? .guess(name: name))
        }
    }

    private mutating func take(_ answer: Answer) {
        let columns = answer.columns
        let gap = answer.expression < 0 ? options.lookback : options.expressions[answer.expression].step
        var raw: [UInt8] = []
        for i in 0..<columns.seriesCount {
            // One name may come from a selector and from an expression: the first two bytes keep them apart.
            raw.removeAll(keepingCapacity: true)
            raw.append(UInt8(truncatingIfNeeded: answer.expression + 1))
            raw.append(UInt8(truncatingIfNeeded: (answer.expression + 1) >> 8))
            raw.append(contentsOf: columns.metric(i))
            let known = ledger.find(raw)
            let found = known ?? ledger.register(raw, PrometheusReader.decoded(raw[...], options)?.fingerprint, gap: gap)
            guard let number = found, number >= 0 else { continue }
            let range = columns.samples(i)
            ledger.take(number, after: answer.after, columns.times[range], columns.values[range])
        }
    }

    /// The labels behind a key of the ledger; nil if it is no JSON object of texts.
    private static func decoded(_ key: ArraySlice<UInt8>, _ options: PrometheusOptions) -> LabelSet? {
        guard key.count > 2, let json = try? JSONValue(parsing: Array(key.dropFirst(2))), let members = json.objectValue else { return nil }
        let expression = Int(key[key.startIndex]) + (Int(key[key.startIndex + 1]) << 8) - 1
        var labels: [Label] = []
        for (name, value) in members {
            guard let text = value.stringValue else { return nil }
            if expression < 0 || name != LabelSet.metricName { labels.append(Label(name, text)) }
        }
        if expression >= 0, expression < options.expressions.count {
            labels.append(Label(LabelSet.metricName, options.expressions[expression].name))
        }
        for label in options.labels where !labels.contains(where: { $0.name == label.name }) { labels.append(label) }
        return LabelSet(labels)
    }
}
