/// What an analysis answers: a value, or nothing with the reason, or a value with a remark ("constant").
///
/// Bad input is an answer, never a trap: without a value there is always a reason. A value holds finite numbers only.
package struct Answer<Value: Sendable>: Sendable {
    package let value: Value?
    /// Why there is no value, or what is special about it. Short and lower case, such as `constant` or `too short: 40 of 120 samples`.
    package let reason: String?

    private init(value: Value?, reason: String?) {
        self.value = value
        self.reason = reason
    }

    package static func value(_ value: Value, remark: String? = nil) -> Answer { Answer(value: value, reason: remark) }

    package static func none(_ reason: String) -> Answer { Answer(value: nil, reason: reason) }

    package static func none(_ reason: Unanswerable) -> Answer { Answer(value: nil, reason: reason.description) }
}

extension Answer: Equatable where Value: Equatable {}

/// The reasons that all analyses share.
package enum Unanswerable: Error, Sendable, Equatable, CustomStringConvertible {
    case tooShort(count: Int, minimum: Int)
    /// The index of the first NaN or infinity.
    case notFinite(index: Int)
    case constant
    /// The regression has no residual: the series follows from its own past (a straight line, a repeated pattern).
    case exact
    /// The result exceeds the range of a Double.
    case overflow
    case invalid(String)

    package var description: String {
        switch self {
        case .tooShort(let count, let minimum): "too short: \(count) of \(minimum) samples"
        case .notFinite(let index): "not finite: sample \(index)"
        case .constant: "constant"
        case .exact: "exactly predictable from its own past"
        case .overflow: "out of the range of a double"
        case .invalid(let what): what
        }
    }
}
