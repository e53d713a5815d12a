import Records
import TimeSeries

/// What a whole body of records gave: a request, or a record of a topic.
package struct FlowTally: Sendable, Equatable {
    package struct Refusal: Sendable, Equatable {
        /// Which record of the body, from 1.
        package var record: Int
        package var reason: String
    }

    package var samples: [FlowSample] = []
    /// Records that became samples, and those that a filter held back.
    package var accepted = 0
    package var dropped = 0
    package var rejected = 0
    /// The first of what was rejected.
    package var refusals: [Refusal] = []

    package static let maximumRefusals = 20

    package init() {}

    package var records: Int { accepted + dropped + rejected }

    mutating func add(_ outcome: FlowOutcome) {
        switch outcome {
        case .samples(let new):
            samples += new
            accepted += 1
        case .dropped: dropped += 1
        case .refused(let reason): refuse(reason)
        }
    }

    mutating func refuse(_ reason: String) {
        rejected += 1
        if refusals.count < FlowTally.maximumRefusals { refusals.append(Refusal(record: records, reason: reason)) }
    }
}

extension FlowMapper {
    /// Maps a body: JSON is one object, a list of them, or one a line; CSV has its own header unless the flow names the columns. O(bytes).
    package mutating func mapBody(_ body: [UInt8], arrival: Milliseconds) -> FlowTally {
        var tally = FlowTally()
        if definition.format == .json, let whole = try? JSONValue(parsing: body) {
            for one in whole.arrayValue ?? [whole] { tally.add(map(one, arrival: arrival)) }
            return tally
        }
        forgetHeader()
        var splitter = RecordSplitter(definition.format, limit: max(1, body.count))
        splitter.append(body)
        while case .record(let bytes)? = splitter.next(isLast: true) {
            guard needsHeader else {
                tally.add(map(bytes, arrival: arrival))
                continue
            }
            do throws(FlowProblem) {
                try takeHeader(bytes)
            } catch {
                tally.refuse(error.description)
                return tally
            }
        }
        if tally.records == 0 { tally.refuse("nothing in it") }
        return tally
    }
}
