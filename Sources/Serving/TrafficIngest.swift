import HTTPKit
import Hummingbird
import Logging
import Messaging
import Records
import Synchronization
import Telemetry
import TimeSeries
import Traffic

/// `POST /api/v1/traffic/events`: vehicles' events over HTTP, into the topic that the analysis reads.
///
/// Answers 2xx only when every event, and every dead letter, is durable. A client that got none sends all of it again: events of the
/// same identity count once.
final class TrafficIngest: Sendable {
    private let options: ServeOptions
    private let log: any MessageLog
    private let intake: EventIntake
    private let accepted: Counter
    private let rejected: Counter
    private let bytes: Counter
    /// Bytes of the bodies under way.
    private let underWay = Mutex(0)

    static let mediaTypes = ["application/json", "application/x-ndjson", "application/ndjson", "application/jsonl", "text/plain"]
    /// Reasons that an answer names; the dead letters have all of them.
    static let maximumErrors = 20

    init(options: ServeOptions, log: any MessageLog, clock: any WallClock, registry: MetricRegistry) {
        self.options = options
        self.log = log
        intake = EventIntake(options.traffic)
        let help = "Events of vehicles that came over HTTP."
        accepted = registry.counter("almanac_serve_ingest_events_total", help: help, labels: [("result", "accepted")])
        rejected = registry.counter("almanac_serve_ingest_events_total", help: help, labels: [("result", "rejected")])
        bytes = registry.counter("almanac_serve_ingest_bytes_total", help: "Bodies with events of vehicles that were taken.")
    }

    /// `{"accepted": n, "rejected": m, "errors": [{"index", "reason", "detail"}]}`
    func respond(_ request: RoutedRequest) async throws -> Response {
        try request.query.refuseUnknown([])
        try request.refuseEncodedBody()
        let isLines = try TrafficIngest.checkForm(request.request.headers)
        let reserved = request.request.headers[.contentLength].flatMap(Int.init) ?? request.maxBodyBytes
        try reserve(reserved)
        defer { underWay.withLock { $0 -= reserved } }
        let body = try await request.body()
        let events = try intake.read(body, isLines: isLines)
        try await produce(events.map(record), request)
        let count = events.count { $0.fault == nil }
        accepted.add(count)
        rejected.add(events.count - count)
        bytes.add(body.count)
        return answer(events, accepted: count, instance: request.request.uri.path)
    }

    /// True if the body is said to be lines.
    private static func checkForm(_ headers: HTTPFields) throws(Problem) -> Bool {
        guard let type = headers[.contentType] else { return false }
        let name = type.prefix { $0 != ";" }.filter { $0 != " " }.lowercased()
        guard mediaTypes.contains(name) else {
            throw Problem(
                .unsupportedMediaType,
                detail: "'\(name)' is not read here; send JSON as application/json, or lines of it as application/x-ndjson")
        }
        return name.hasSuffix("ndjson") || name.hasSuffix("jsonl")
    }

    private func reserve(_ count: Int) throws(Problem) {
        let hasRoom = underWay.withLock { used in
            // A single body always fits.
            guard used == 0 || used + count <= options.ingestBytes else { return false }
            used += count
            return true
        }
        if !hasRoom { throw Problem.unavailable("too many events are under way already", retryAfterSeconds: 1) }
    }

    private func record(_ event: IncomingEvent) -> ProducerRecord {
        guard let fault = event.fault else {
            return ProducerRecord(topic: options.eventsTopic, key: .text(event.vehicle), value: Array(event.bytes))
        }
        // As the events that come by the log and are none: the bytes as they came, and why.
        return ProducerRecord(
            topic: options.eventsTopic + ".dlq", key: .text(event.vehicle), value: Array(event.bytes.prefix(EventIntake.maximumBytes)),
            headers: [RecordHeader("reason", Array(fault.fault.rawValue.utf8)), RecordHeader("detail", Array(fault.detail.utf8))])
    }

    private func produce(_ records: [ProducerRecord], _ request: RoutedRequest) async throws {
        if records.isEmpty { return }
        do {
            try await withThrowingTaskGroup(of: Bool.self) { [log, options] group in
                group.addTask {
                    try await log.produce(records)
                    return true
                }
                group.addTask {
                    try await Task.sleep(for: .milliseconds(options.ingestTimeout))
                    return false
                }
                let isDurable = try await group.next() ?? false
                group.cancelAll()
                if !isDurable { throw MessagingError(.unavailable, "not within \(options.ingestTimeout) ms") }
            }
        } catch let error as MessagingError {
            request.logger.error("events were not taken", metadata: ["topic": "\(options.eventsTopic)", "error": "\(error)"])
            switch error.code {
            case .unavailable, .io, .storageFull, .closed:
                throw Problem.unavailable("the log does not take events now; send all of them again")
            case .tooLarge: throw Problem(.contentTooLarge, detail: "one of the events is larger than the log takes")
            case .corrupt, .usage: throw error
            }
        }
    }

    /// 400 where not one was an event: whoever sends such things is to notice.
    private func answer(_ events: [IncomingEvent], accepted: Int, instance: String) -> Response {
        let errors = events.enumerated().lazy.compactMap { index, event in
            event.fault.map { fault in
                JSONValue.object([
                    (key: "index", value: .int(Int64(index))), (key: "reason", value: .string(fault.fault.rawValue)),
                    (key: "detail", value: .string(fault.detail)),
                ])
            }
        }
        let members: ResultJSON.Members = [
            (key: "accepted", value: .int(Int64(accepted))), (key: "rejected", value: .int(Int64(events.count - accepted))),
            (key: "errors", value: .array(Array(errors.prefix(TrafficIngest.maximumErrors)))),
        ]
        if accepted > 0 || events.isEmpty { return .json(.object(members)) }
        let problem: ResultJSON.Members = [
            (key: "type", value: "about:blank"), (key: "title", value: "No event"), (key: "status", value: 400),
            (key: "detail", value: "none of it is an event of a vehicle; 'errors' has the reasons"),
            (key: "instance", value: .string(instance)),
        ]
        return .bytes(JSONValue.object(problem + members).jsonBytes, type: "application/problem+json", status: .badRequest)
    }
}
