import Fetching
import Logging
import Messaging
import Records
import Telemetry
import TestSupport
import Testing
import TimeSeries

@testable import Notifying

/// Alerts on the embedded log, webhooks on loopback.
@Suite struct NotifyRoleTests {
    private struct SystemTime: WallClock {
        func now() -> Milliseconds { Milliseconds(1_800_000_000_000) }
    }

    /// A log with a topic of alerts, and a role that tells webhooks of them.
    private final class Bench {
        let directory: TemporaryDirectory
        let log: EmbeddedLog
        let metrics = MetricRegistry()
        var task: Task<Void, any Error>?

        init() async throws {
            directory = try TemporaryDirectory()
            log = try await EmbeddedLog.open(
                EmbeddedLogOptions(directory: directory.file("log")), clock: SystemTime(), metrics: MetricRegistry(),
                logger: Logger(label: "test"))
        }

        func start(_ webhooks: [NotifyOptions.Webhook]) {
            var options = NotifyOptions()
            options.webhooks = webhooks
            options.externalURL = "http://almanac.example"
            options.backoff = (5, 20)
            let role = NotifyRole(options: options, log: log, clock: SystemTime(), metrics: metrics, logger: Logger(label: "test"))
            task = Task { try await role.run() }
        }

        func stop() async {
            task?.cancel()
            _ = await task?.result
        }

        func produce(_ alerts: [TrafficAlert]) async throws {
            try await log.produce(
                TrafficRecord.alerts(alerts).encode().map { ProducerRecord(topic: "trafficdata", key: .text($0.route), value: $0.value) })
        }

        func close() async {
            await stop()
            await log.close()
        }
    }

    private func alert(_ subject: String, rule: String = "speeding", onset: Milliseconds = 1000, end: Milliseconds? = nil) -> TrafficAlert {
        TrafficAlert(
            time: end ?? onset, revision: Revision(epoch: 1, offset: end ?? onset), rule: rule, subject: subject, vehicleType: "Taxi",
            route: "GRA", onset: onset, end: end, value: 131.5, limit: 110, message: "speed 131.5 km/h above 110")
    }

    @Test func tellsOfTheBeginningAndTheEndOnce() async throws {
        let (bench, hook) = (try await Bench(), Webhook())
        bench.start([.init(url: hook.url)])
        try await bench.produce([alert("v1")])
        try await eventually("the beginning is told") { hook.bodies.count == 1 }
        // Newer versions of what is known, and the end twice.
        try await bench.produce([alert("v1")])
        try await bench.produce([alert("v1", end: 61_000)])
        try await bench.produce([alert("v1", end: 61_000), alert("v2", rule: "fuel")])
        try await eventually("the end and the other are told") { hook.bodies.count == 3 }
        let messages = try hook.bodies.map { try JSONValue(parsing: Array($0.utf8)) }
        #expect(messages.map { $0["status"]?.stringValue } == ["firing", "resolved", "firing"])
        #expect(messages.map { $0["groupLabels"]?["alertname"]?.stringValue } == ["speeding", "speeding", "fuel"])
        let first = messages[0]["alerts"]?.arrayValue?.first
        #expect(messages[0]["version"]?.stringValue == "4")
        #expect(first?["labels"]?["vehicle"]?.stringValue == "v1" && first?["labels"]?["route"]?.stringValue == "GRA")
        #expect(first?["annotations"]?["summary"]?.stringValue == "speed 131.5 km/h above 110")
        #expect(first?["startsAt"]?.stringValue == "1970-01-01T00:00:01.000Z")
        #expect(messages[1]["alerts"]?.arrayValue?.first?["endsAt"]?.stringValue == "1970-01-01T00:01:01.000Z")
        await bench.close()
        hook.stop()
    }

    @Test func triesAgainUntilItIsTakenAndHoldsNoOtherBack() async throws {
        let (bench, ill, well) = (try await Bench(), Webhook(status: 503), Webhook())
        bench.start([.init(url: ill.url), .init(url: well.url)])
        try await bench.produce([alert("v1")])
        try await eventually("the well one is told, the ill one asked again") { well.bodies.count == 1 && ill.bodies.count >= 3 }
        ill.answer(with: 200)
        try await bench.produce([alert("v2")])
        try await eventually("both are told") { ill.bodies.last?.contains("v2") == true && well.bodies.count == 2 }
        await bench.close()
        ill.stop()
        well.stop()
    }

    /// What was not acknowledged comes again after a restart, what was does not.
    @Test func goesOnAfterARestart() async throws {
        let (bench, hook) = (try await Bench(), Webhook())
        bench.start([.init(url: hook.url)])
        try await bench.produce([alert("v1")])
        try await eventually("told") { hook.bodies.count == 1 }
        let group = NotifyRole.group(hook.url)
        try await eventually("committed") {
            try await bench.log.committedOffsets(topic: "trafficdata", group: group).values.contains { $0 > 0 }
        }
        hook.answer(with: 500)
        try await bench.produce([alert("v2")])
        try await eventually("refused") { hook.bodies.count >= 2 }
        await bench.stop()
        hook.answer(with: 200)
        let before = hook.bodies.count
        bench.start([.init(url: hook.url)])
        try await eventually("told again") { hook.bodies.count > before }
        #expect(hook.bodies[before].contains("v2") && !hook.bodies[before].contains("v1"))
        await bench.close()
        hook.stop()
    }

    @Test func aRefusalForGoodIsNotRepeated() async throws {
        let (bench, hook) = (try await Bench(), Webhook(status: 400))
        bench.start([.init(url: hook.url)])
        try await bench.produce([alert("v1")])
        try await eventually("refused") { hook.bodies.count == 1 }
        hook.answer(with: 200)
        try await bench.produce([alert("v2")])
        try await eventually("the next is told") { hook.bodies.count == 2 }
        #expect(hook.bodies[1].contains("v2") && bench.metrics.render().contains("almanac_notify_refused_total 1"))
        await bench.close()
        hook.stop()
    }

    @Test func saysWhoItIs() async throws {
        let (bench, hook) = (try await Bench(), Webhook())
        var webhook = NotifyOptions.Webhook(url: hook.url)
        webhook.credentials = .bearer("s3cret")
        bench.start([webhook])
        try await bench.produce([alert("v1")])
        try await eventually("told") { hook.heads.count == 1 }
        #expect(hook.heads[0].contains("Authorization: Bearer s3cret") && hook.heads[0].contains("application/json"))
        #expect(!NotifyRole.group("http://a/token=s3cret").contains("s3cret"))
        await bench.close()
        hook.stop()
    }

    @Test func alertsOfOneRuleGoTogetherInBounds() {
        let alerts = (0..<5).map { alert("v\($0)") } + [alert("v9", rule: "fuel"), alert("v5")]
        #expect(NotifyRole.grouped(alerts, most: 3).map(\.count) == [3, 2, 1, 1])
        #expect(NotifyRole.grouped([], most: 3).isEmpty)
    }
}
