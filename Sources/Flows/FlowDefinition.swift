import TimeSeries

/// A flow: what turns records of any form into samples.
package struct FlowDefinition: Sendable, Equatable {
    package enum Source: Sendable, Equatable {
        case topic(String)
        /// Read from its beginning; then followed, or left.
        case file(path: String, follows: Bool)
        /// `POST /api/v1/flows/<name>`
        case http
    }

    package enum Format: Sendable, Equatable {
        /// Objects: one, a list of them, or one a line.
        case json
        /// Rows. Without `columns` the first row of a file, record or request names them.
        case csv(separator: UInt8, columns: [String])
    }

    /// A metric and the field that holds its values.
    package struct Value: Sendable, Equatable {
        package var metric: String
        package var field: String

        package init(metric: String, field: String) {
            self.metric = metric
            self.field = field
        }
    }

    package struct LabelSource: Sendable, Equatable {
        package enum Text: Sendable, Equatable {
            case field(String)
            case constant(String)
        }

        package var name: String
        package var text: Text

        package init(name: String, text: Text) {
            self.name = name
            self.text = text
        }
    }

    package var name: String
    package var source: Source
    package var format = Format.json
    /// nil: the time of arrival.
    package var time: FlowTime?
    /// Applied in this order. The time is read before.
    package var transforms: [FlowTransform] = []
    package var values: [Value]
    package var labels: [LabelSource] = []
    /// Events this much older than the newest still come before the flow's promise.
    package var disorder: Milliseconds = 5_000
    /// Events this much later than their arrival are refused: one bad clock must not carry the flow's time away.
    package var futureBound: Milliseconds = 600_000
    /// Most series that the flow may make; samples of more are refused.
    package var maxSeries = 100_000

    package init(name: String, source: Source, values: [Value]) {
        self.name = name
        self.source = source
        self.values = values
    }
}

/// Where the time of a record stands, and how it is written.
package struct FlowTime: Sendable, Equatable {
    package enum Form: String, Sendable, CaseIterable {
        /// ISO 8601; without an offset, in the zone.
        case iso
        case epochSeconds = "epoch_s"
        case epochMilliseconds = "epoch_ms"
        /// A date and a time of day in the zone.
        case local
    }

    package var field: String
    package var form: Form
    /// A name of the time zone database.
    package var zone: String

    package init(field: String, form: Form = .iso, zone: String = "UTC") {
        self.field = field
        self.form = form
        self.zone = zone
    }
}

/// One step on a record's way. Each looks at the fields as the step before has left them.
package enum FlowTransform: Sendable, Equatable {
    /// Goes on only with records that pass all tests; one without the field passes none but `exists: false`.
    case filter(FlowFilter)
    case rename(from: String, to: String)
    /// `to = field * multiply + add`
    case compute(to: String, field: String, multiply: Double, add: Double)
    /// Takes fields from the row of a join whose key is the text of `on`; without one they are missing.
    case enrich(join: String, on: String, fields: [String])
}

package struct FlowFilter: Sendable, Equatable {
    package var field: String
    package var equals: String?
    /// A regular expression over the whole text.
    package var matches: String?
    package var above: Double?
    package var below: Double?
    package var exists: Bool?

    package init(
        field: String, equals: String? = nil, matches: String? = nil, above: Double? = nil, below: Double? = nil, exists: Bool? = nil
    ) {
        self.field = field
        self.equals = equals
        self.matches = matches
        self.above = above
        self.below = below
        self.exists = exists
    }
}

/// What is wrong with a definition, in words.
package struct FlowProblem: Error, Sendable, Equatable, CustomStringConvertible {
    package var description: String

    init(_ description: String) { self.description = description }
}
