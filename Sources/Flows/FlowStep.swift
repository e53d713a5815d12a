import TimeSeries

/// A transform with its fields numbered.
enum FlowStep {
    case filter(FilterTest)
    case rename(from: Int, to: Int)
    case compute(to: Int, field: Int, multiply: Double, add: Double)
    case enrich(join: String, on: Int, fields: [(name: String, slot: Int)])

    init(_ transform: FlowTransform, _ slots: inout FieldSlots) throws(FlowProblem) {
        switch transform {
        case .filter(let filter): self = .filter(try FilterTest(filter, slots.slot(filter.field)))
        case .rename(let from, let to): self = .rename(from: slots.slot(from), to: slots.slot(to))
        case .compute(let to, let field, let multiply, let add):
            self = .compute(to: slots.slot(to), field: slots.slot(field), multiply: multiply, add: add)
        case .enrich(let join, let on, let fields):
            self = .enrich(join: join, on: slots.slot(on), fields: fields.map { ($0, slots.slot($0)) })
        }
    }

    enum Verdict: Equatable {
        case goesOn
        case dropped
        case refused(String)
    }

    func apply(_ record: inout [FieldValue], at time: Milliseconds, _ joins: JoinSet, _ slots: FieldSlots) -> Verdict {
        switch self {
        case .filter(let test): return test.passes(record[test.slot]) ? .goesOn : .dropped
        case .rename(let from, let to):
            if from == to { return .goesOn }
            record[to] = record[from]
            record[from] = .missing
        case .compute(let to, let field, let multiply, let add):
            switch record[field].numeric {
            case .missing: record[to] = .missing
            case .value(let value): record[to] = .number(value * multiply + add)
            case .none: return .refused("\(slots.name(field)) is \(record[field].quoted), not a number")
            }
        case .enrich(let join, let on, let fields):
            let key = record[on].textValue
            for (name, slot) in fields {
                record[slot] = key.map { joins.value(join: join, key: $0, field: name, at: time) } ?? .missing
            }
        }
        return .goesOn
    }
}

/// The tests of one filter.
struct FilterTest {
    let slot: Int
    private let filter: FlowFilter
    private let equalNumber: Double?
    private let pattern: LinearRegex?

    init(_ filter: FlowFilter, _ slot: Int) throws(FlowProblem) {
        self.slot = slot
        self.filter = filter
        equalNumber = filter.equals.flatMap { FieldValue.text($0).doubleValue }
        do {
            pattern = try filter.matches.map { try LinearRegex($0) }
        } catch {
            throw FlowProblem("\"\(filter.matches ?? "")\" is not a regular expression: \(error)")
        }
    }

    func passes(_ value: FieldValue) -> Bool {
        if let exists = filter.exists, exists == value.isMissing { return false }
        if let text = filter.equals, !isEqual(value, text) { return false }
        if let pattern {
            guard let text = value.textValue, pattern.matches(text) else { return false }
        }
        if let limit = filter.above {
            guard let number = value.doubleValue, number > limit else { return false }
        }
        if let limit = filter.below {
            guard let number = value.doubleValue, number < limit else { return false }
        }
        return true
    }

    /// Numbers are equal as numbers: 5 equals 5.0.
    private func isEqual(_ value: FieldValue, _ text: String) -> Bool {
        if value.textValue == text { return true }
        if case .bool = value { return false }
        guard let equalNumber, let number = value.doubleValue else { return false }
        return number == equalNumber
    }
}
