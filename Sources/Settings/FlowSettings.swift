import TimeSeries

package enum FlowFormat: String, Sendable, CaseIterable {
    case json, csv
}

package enum FlowTimeForm: String, Sendable, CaseIterable {
    case iso
    case epochSeconds = "epoch_s"
    case epochMilliseconds = "epoch_ms"
    case local
}

/// A flow of records that becomes series.
package struct FlowSettings: Sendable, Equatable {
    package var name = ""
    package var source = FlowSourceSettings()
    package var format = FlowFormat.json
    /// One ASCII character, or `tab`.
    package var separator = ","
    package var columns: [String] = []
    /// nil: the time of arrival.
    package var time: FlowTimeSettings?
    package var transforms: [FlowTransformSettings] = []
    /// Metric name to field.
    package var values: [String: String] = [:]
    /// Label name to field, or to `=text`.
    package var labels: [String: String] = [:]
    package var disorder: Milliseconds = 5_000
    package var maxSeries = 100_000

    package init() {}
}

/// One of the three.
package struct FlowSourceSettings: Sendable, Equatable {
    package var topic: String?
    package var file: String?
    package var follow = false
    package var http = false

    package init() {}
}

package struct FlowTimeSettings: Sendable, Equatable {
    package var field = ""
    package var form = FlowTimeForm.iso
    package var zone = "UTC"

    package init() {}
}

/// One of the four.
package struct FlowTransformSettings: Sendable, Equatable {
    package var filter: FlowFilterSettings?
    package var rename: FlowRenameSettings?
    package var compute: FlowComputeSettings?
    package var enrich: FlowEnrichSettings?

    package init() {}
}

package struct FlowFilterSettings: Sendable, Equatable {
    package var field = ""
    package var equals: String?
    package var matches: String?
    package var above: Double?
    package var below: Double?
    package var exists: Bool?

    package init() {}
}

package struct FlowRenameSettings: Sendable, Equatable {
    package var from = ""
    package var to = ""

    package init() {}
}

package struct FlowComputeSettings: Sendable, Equatable {
    package var to = ""
    package var field = ""
    package var multiply = 1.0
    package var add = 0.0

    package init() {}
}

package struct FlowEnrichSettings: Sendable, Equatable {
    package var join = ""
    package var on = ""
    package var fields: [String] = []

    package init() {}
}

/// A table or topic that flows and rules look up by key.
package struct JoinSettings: Sendable, Equatable {
    package var name = ""
    package var table: String?
    package var separator = ","
    package var topic: String?
    package var key = ""
    package var time: FlowTimeSettings?
    package var keep: Milliseconds = 86_400_000
    package var maxKeys = 100_000

    package init() {}
}
