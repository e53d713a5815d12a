import Glibc
import Records
import TimeSeries

// How parts of results are stored, the same in every store.

extension Prediction {
    package var values: [Double?] { [expected, lower80, upper80, lower95, upper95] }

    package var isFinite: Bool {
        expected.isFinite && lower80.isFinite && upper80.isFinite && lower95.isFinite && upper95.isFinite
    }
}

/// The path of a forecast as text: a JSON array with `[expected, lower80, upper80, lower95, upper95]` for each step.
package enum ForecastPath {
    /// Ends before the first step that is not finite.
    package static func text(_ path: [Prediction]) -> String {
        var writer = JSONWriter()
        writer.beginArray()
        for step in path.prefix(while: \.isFinite) { writer.write(.array(step.values.map { JSONValue($0) })) }
        writer.endArray()
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// nil for a text that `text` did not write.
    package static func decode(_ text: String) -> [Prediction]? {
        guard let steps = (try? JSONValue(parsing: Array(text.utf8)))?.arrayValue else { return nil }
        var path: [Prediction] = []
        path.reserveCapacity(steps.count)
        for step in steps {
            guard let values = step.arrayValue?.compactMap(\.doubleValue), values.count == 5 else { return nil }
            path.append(
                Prediction(expected: values[0], lower80: values[1], upper80: values[2], lower95: values[3], upper95: values[4]))
        }
        return path
    }
}

extension ProfileResult {
    /// Longest array, and deepest object, that the history keeps.
    private static var longestArray: Int { 8 }
    private static var deepestObject: Int { 3 }

    /// The detail as the history keeps it, some hundred bytes: without long arrays (autocorrelations of all lags, components) and
    /// without the objects of the fourth level (critical values), numbers with six digits. The latest profile has all.
    package var historyDetail: JSONValue { ProfileResult.shortened(detail, depth: 1) }

    private static func shortened(_ value: JSONValue, depth: Int) -> JSONValue {
        switch value {
        case .object(let members):
            return .object(
                members.compactMap { member in
                    if let array = member.value.arrayValue, array.count > longestArray { return nil }
                    if depth == deepestObject, member.value.objectValue != nil { return nil }
                    return (key: member.key, value: shortened(member.value, depth: depth + 1))
                })
        case .array(let elements): return .array(elements.map { shortened($0, depth: depth + 1) })
        case .double(let number): return .double(sixDigits(number))
        default: return value
        }
    }

    private static func sixDigits(_ number: Double) -> Double {
        guard number.isFinite, number != 0 else { return number }
        let scale = pow(10, 5 - floor(log10(abs(number))))
        let rounded = (number * scale).rounded() / scale
        return scale.isFinite && rounded.isFinite ? rounded : number
    }
}
