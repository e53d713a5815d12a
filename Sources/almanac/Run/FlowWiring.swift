import Analyzing
import Collecting
import Flows
import HTTPKit
import Hummingbird
import Messaging
import Records
import Settings
import Synchronization
import TimeSeries
import Traffic

extension Configuration {
    /// The flows as `FlowSources` takes them.
    var flowDefinitions: [FlowDefinition] {
        flows.map { flow in
            let source: FlowDefinition.Source =
                if let topic = flow.source.topic { .topic(topic) } else if let file = flow.source.file {
                    .file(path: file, follows: flow.source.follow)
                } else { .http }
            // Dictionaries have no order: by name, so that the same configuration gives the same flow.
            var definition = FlowDefinition(
                name: flow.name, source: source,
                values: flow.values.sorted { $0.key < $1.key }.map { FlowDefinition.Value(metric: $0.key, field: $0.value) })
            if flow.format == .csv { definition.format = .csv(separator: separatorByte(flow.separator), columns: flow.columns) }
            definition.time = flow.time.map(flowTime)
            definition.transforms = flow.transforms.compactMap(transform)
            definition.labels = flow.labels.sorted { $0.key < $1.key }.map { name, text in
                FlowDefinition.LabelSource(
                    name: name, text: text.hasPrefix("=") ? .constant(String(text.dropFirst())) : .field(text))
            }
            definition.disorder = flow.disorder
            definition.maxSeries = flow.maxSeries
            return definition
        }
    }

    var joinDefinitions: [JoinDefinition] {
        joins.map { join in
            let source: JoinDefinition.Source =
                if let table = join.table { .table(path: table, separator: separatorByte(join.separator)) } else {
                    .topic(join.topic ?? "")
                }
            var definition = JoinDefinition(name: join.name, source: source, key: join.key)
            definition.time = join.time.map(flowTime)
            definition.keep = join.keep
            definition.maxKeys = join.maxKeys
            return definition
        }
    }
}

private func separatorByte(_ text: String) -> UInt8 { text == "tab" ? 0x09 : text.utf8.first ?? UInt8(ascii: ",") }

private func flowTime(_ time: FlowTimeSettings) -> FlowTime {
    let form: FlowTime.Form =
        switch time.form {
        case .iso: .iso
        case .epochSeconds: .epochSeconds
        case .epochMilliseconds: .epochMilliseconds
        case .local: .local
        }
    return FlowTime(field: time.field, form: form, zone: time.zone)
}

private func transform(_ transform: FlowTransformSettings) -> FlowTransform? {
    if let filter = transform.filter {
        return .filter(
            FlowFilter(
                field: filter.field, equals: filter.equals, matches: filter.matches, above: filter.above, below: filter.below,
                exists: filter.exists))
    }
    if let rename = transform.rename { return .rename(from: rename.from, to: rename.to) }
    if let compute = transform.compute {
        return .compute(to: compute.to, field: compute.field, multiply: compute.multiply, add: compute.add)
    }
    return transform.enrich.map { .enrich(join: $0.join, on: $0.on, fields: $0.fields) }
}

/// Limits of rules from joined tables and flows.
enum TrafficJoins {
    /// A field is named `join.field`; its key is the event's route.
    static func lookup(_ joins: JoinSet) -> TrafficJoin {
        { event, name in
            guard let dot = name.firstIndex(of: ".") else { return nil }
            return joins.number(
                join: String(name[..<dot]), key: event.route, field: String(name[name.index(after: dot)...]), at: event.time)
        }
    }
}

/// `POST /api/v1/flows/{flow}`: records of a flow over HTTP; 2xx once all their samples are durable.
enum FlowRoute {
    /// Requests under way; while the log is away they would pile up.
    private static let maximumRequests = 32

    private final class Door: Sendable {
        let underWay = Atomic<Int>(0)
    }

    /// None where no flow takes requests.
    static func routes(_ intake: FlowIntake?) -> [HTTPRoute] {
        guard let intake, !intake.flows.isEmpty else { return [] }
        return [route(intake)]
    }

    private static func route(_ intake: FlowIntake) -> HTTPRoute {
        let door = Door()
        return HTTPRoute(.post, "/api/v1/flows/{flow}") { request in
            try request.query.refuseUnknown([])
            // The type of the body is the flow's to know, and clients often leave curl's in place.
            try request.refuseEncodedBody()
            defer { door.underWay.subtract(1, ordering: .relaxed) }
            guard door.underWay.add(1, ordering: .relaxed).newValue <= FlowRoute.maximumRequests else {
                throw Problem.unavailable("too many records are under way already", retryAfterSeconds: 1)
            }
            let body = try await request.body()
            do {
                let taken = try await intake.accept(flow: request.parameter("flow"), body: body)
                return answer(taken, instance: request.request.uri.path)
            } catch let error as FlowIntake.Failure {
                switch error {
                case .unknownFlow: throw Problem.notFound("\(error); those that do: \(intake.flows.joined(separator: ", "))")
                case .notReady: throw Problem.unavailable("\(error)")
                }
            } catch is MessagingError {
                throw Problem.unavailable("the log does not take records now; send all of them again")
            }
        }
    }

    /// 400 where not one was a record of the flow: whoever sends such things is to notice.
    private static func answer(_ answer: FlowIntake.Answer, instance: String) -> Response {
        let errors = answer.errors.map { refusal in
            JSONValue.object([(key: "record", value: .int(Int64(refusal.record))), (key: "reason", value: .string(refusal.reason))])
        }
        let members: [(key: String, value: JSONValue)] = [
            (key: "accepted", value: .int(Int64(answer.accepted))), (key: "dropped", value: .int(Int64(answer.dropped))),
            (key: "rejected", value: .int(Int64(answer.rejected))), (key: "errors", value: .array(errors)),
        ]
        if answer.rejected == 0 || answer.accepted + answer.dropped > 0 { return .json(.object(members)) }
        let problem: [(key: String, value: JSONValue)] = [
            (key: "type", value: "about:blank"), (key: "title", value: "No record"), (key: "status", value: 400),
            (key: "detail", value: "none of it is a record of this flow; 'errors' has the reasons"),
            (key: "instance", value: .string(instance)),
        ]
        return .bytes(JSONValue.object(problem + members).jsonBytes, type: "application/problem+json", status: .badRequest)
    }
}
