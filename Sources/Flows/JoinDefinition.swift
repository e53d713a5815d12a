import Records
import TimeSeries

/// What flows and rules may look up by key.
package struct JoinDefinition: Sendable, Equatable {
    package enum Source: Sendable, Equatable {
        /// CSV with a header.
        case table(path: String, separator: UInt8)
        /// JSON objects; the newest at or before an event's time counts.
        case topic(String)
    }

    package var name: String
    package var source: Source
    package var key: String
    /// Of a topic; nil: the time at which the log took the value.
    package var time: FlowTime?
    /// How long a value counts.
    package var keep: Milliseconds = 86_400_000
    package var maxKeys = 100_000

    package init(name: String, source: Source, key: String) {
        self.name = name
        self.source = source
        self.key = key
    }
}

/// One value of a joined topic.
package struct JoinEntry: Sendable, Equatable {
    package var key: String
    package var time: Milliseconds
    package var fields: TemporalJoin.Fields
}

/// Reads the values of a joined topic.
package struct JoinReader {
    /// Fields kept of one value.
    private static let maximumFields = 64
    private static let futureBound: Milliseconds = 600_000
    private let key: [String]
    private let timePath: [String]
    private var time: TimeReader?

    package init(_ definition: JoinDefinition) throws(FlowProblem) {
        key = definition.key.split(separator: ".").map(String.init)
        timePath = definition.time?.field.split(separator: ".").map(String.init) ?? []
        if let form = definition.time { time = try TimeReader(form) }
    }

    /// Throws what is wrong with a value, in words. O(bytes).
    package mutating func read(_ bytes: [UInt8], arrival: Milliseconds) throws(FlowProblem) -> JoinEntry {
        let json: JSONValue
        do throws(JSONError) { json = try JSONValue(parsing: bytes) } catch { throw FlowProblem("not JSON: \(error)") }
        guard json.objectValue != nil else { throw FlowProblem("not a JSON object") }
        guard let key = FieldValue(FieldSlots.find(key[...], in: json)).textValue else {
            throw FlowProblem("the key \(key.joined(separator: ".")) is missing")
        }
        var at = arrival
        if time != nil {
            let value = FieldValue(FieldSlots.find(timePath[...], in: json))
            guard let read = time?.read(value) else {
                throw FlowProblem("the time \(timePath.joined(separator: ".")) is \(value.quoted)")
            }
            at = read
        }
        // A clock that is ahead must not age all other values.
        if at > arrival + JoinReader.futureBound { throw FlowProblem("the time is \((at - arrival) / 1_000) s after the arrival") }
        var fields: TemporalJoin.Fields = [:]
        JoinReader.flatten(json, "", &fields)
        return JoinEntry(key: key, time: at, fields: fields)
    }

    /// The fields of nested objects are named by their path.
    private static func flatten(_ json: JSONValue, _ prefix: String, _ fields: inout TemporalJoin.Fields) {
        for member in json.objectValue ?? [] {
            if fields.count >= maximumFields { return }
            if member.value.objectValue != nil {
                flatten(member.value, prefix + member.key + ".", &fields)
            } else {
                let value = FieldValue(member.value)
                if value != .compound, !value.isMissing { fields[prefix + member.key] = value }
            }
        }
    }
}
