import Records
import TimeSeries

/// A sample that a flow made.
package struct FlowSample: Sendable, Equatable {
    package var labels: LabelSet
    package var time: Milliseconds
    package var value: Double

    package init(labels: LabelSet, time: Milliseconds, value: Double) {
        self.labels = labels
        self.time = time
        self.value = value
    }
}

/// What became of one record.
package enum FlowOutcome: Sendable, Equatable {
    case samples([FlowSample])
    /// A filter said no.
    case dropped
    /// The record is none, or not of the flow's form.
    case refused(String)
}

/// Turns the records of one flow into samples. Pure but for the joins, which it asks.
package struct FlowMapper {
    /// A flow that invents label values must not fill the memory.
    private static let maximumRemembered = 16_384

    package let definition: FlowDefinition
    private let joins: JoinSet
    private let slots: FieldSlots
    private let steps: [FlowStep]
    private let timeSlot: Int?
    private var time: TimeReader?
    private let values: [(metric: String, slot: Int)]
    private let labels: [(name: String, slot: Int?, constant: String)]
    /// Column of each field; nil before the header.
    private var columns: [Int]?
    /// The series of a combination of label values, by metric.
    private var known: [String: [LabelSet]] = [:]

    /// Throws what is wrong with the definition.
    package init(_ definition: FlowDefinition, joins: JoinSet = JoinSet()) throws(FlowProblem) {
        try definition.check(joins: joins)
        self.definition = definition
        self.joins = joins
        var slots = FieldSlots()
        timeSlot = definition.time.map { slots.slot($0.field) }
        if let form = definition.time { time = try TimeReader(form) }
        var steps: [FlowStep] = []
        for transform in definition.transforms { steps.append(try FlowStep(transform, &slots)) }
        self.steps = steps
        values = definition.values.map { ($0.metric, slots.slot($0.field)) }
        labels = definition.labels.map { label in
            switch label.text {
            case .field(let field): return (label.name, slots.slot(field), "")
            case .constant(let text): return (label.name, nil, text)
            }
        }
        self.slots = slots
        if case .csv(_, let names) = definition.format, !names.isEmpty { columns = slots.columns(of: names) }
    }

    /// Whether the next row must be the header.
    package var needsHeader: Bool {
        if case .csv = definition.format { return columns == nil }
        return false
    }

    /// The rows that follow belong to another header.
    package mutating func forgetHeader() {
        if case .csv(_, let names) = definition.format, names.isEmpty { columns = nil }
    }

    /// Takes the header. Throws if it is none, or names no field that holds values.
    package mutating func takeHeader(_ bytes: [UInt8]) throws(FlowProblem) {
        guard case .csv(let separator, _) = definition.format else { return }
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let names = try CSVRow.parse(bytes.starts(with: mark) ? bytes[3...] : bytes[...], separator: separator)
        let found = slots.columns(of: names)
        if !found.contains(where: { $0 >= 0 }) {
            throw FlowProblem("the header names no field of the flow (\(slots.slots.map(\.name).joined(separator: ", ")))")
        }
        columns = found
    }

    /// Maps one record: a JSON object, or a row of CSV under the header. O(bytes).
    package mutating func map(_ bytes: [UInt8], arrival: Milliseconds) -> FlowOutcome {
        switch definition.format {
        case .json:
            do throws(JSONError) {
                return map(try JSONValue(parsing: bytes), arrival: arrival)
            } catch {
                return .refused("not JSON: \(error)")
            }
        case .csv(let separator, _):
            guard let columns else { return .refused("a row before the header") }
            do throws(FlowProblem) {
                return map(slots.read(try CSVRow.parse(bytes, separator: separator), columns: columns), arrival: arrival)
            } catch {
                return .refused(error.description)
            }
        }
    }

    package mutating func map(_ json: JSONValue, arrival: Milliseconds) -> FlowOutcome {
        guard json.objectValue != nil else { return .refused("not a JSON object") }
        return map(slots.read(json), arrival: arrival)
    }

    private mutating func map(_ fields: [FieldValue], arrival: Milliseconds) -> FlowOutcome {
        var record = fields
        var at = arrival
        if let timeSlot, let read = time?.read(record[timeSlot]) {
            at = read
        } else if let timeSlot {
            if record[timeSlot].isMissing { return .refused("the time \(slots.name(timeSlot)) is missing") }
            let form = definition.time?.form.rawValue ?? ""
            return .refused("the time \(slots.name(timeSlot)) is \(record[timeSlot].quoted), not of the form \(form)")
        }
        for step in steps {
            switch step.apply(&record, at: at, joins, slots) {
            case .goesOn: continue
            case .dropped: return .dropped
            case .refused(let reason): return .refused(reason)
            }
        }
        // After the filters: what is not meant for this flow is no mistake.
        if at > arrival + definition.futureBound { return .refused("the time is \((at - arrival) / 1_000) s after the arrival") }
        return samples(record, at: at)
    }

    private mutating func samples(_ record: [FieldValue], at time: Milliseconds) -> FlowOutcome {
        var samples: [FlowSample] = []
        samples.reserveCapacity(values.count)
        var series: [LabelSet]?
        for (i, value) in values.enumerated() {
            switch record[value.slot].numeric {
            case .missing: continue
            case .value(let number) where number.isFinite:
                let known = series ?? self.series(of: record)
                series = known
                samples.append(FlowSample(labels: known[i], time: time, value: number))
            case .value: return .refused("\(slots.name(value.slot)) is not finite")
            case .none: return .refused("\(slots.name(value.slot)) is \(record[value.slot].quoted), not a number")
            }
        }
        if samples.isEmpty {
            return .refused("no value: \(values.map { slots.name($0.slot) }.joined(separator: ", ")) missing")
        }
        return .samples(samples)
    }

    /// The series of the record's labels, one for each metric. A label without a value is left out.
    private mutating func series(of record: [FieldValue]) -> [LabelSet] {
        var key = ""
        var texts: [String] = []
        texts.reserveCapacity(labels.count)
        for label in labels {
            let text = label.slot.map { record[$0].textValue ?? "" } ?? label.constant
            key += "\(text.utf8.count):"
            key += text
            texts.append(text)
        }
        if let series = known[key] { return series }
        let own = zip(labels, texts).map { Label($0.name, $1) }
        let series = values.map { LabelSet(name: $0.metric, own) }
        if known.count >= FlowMapper.maximumRemembered { known.removeAll() }
        known[key] = series
        return series
    }
}
