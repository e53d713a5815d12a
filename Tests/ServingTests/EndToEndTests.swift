import Foundation
import HTTPKit
import Hummingbird
import HummingbirdTesting
import Logging
import Messaging
import Records
import ServiceLifecycle
import Storage
import Synchronization
import Telemetry
import TestSupport
import Testing
import TimeSeries

@testable import Serving

/// A role that listens, for as long as `body` takes; ended gracefully.
private func withRunning(
    _ role: (@escaping @Sendable (Int) -> Void) throws -> ServeRole, _ body: @Sendable @escaping (Int, ServeRole) async throws -> Void
) async throws {
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    let role = try role { continuation.yield($0) }
    let group = ServiceGroup(configuration: .init(services: [.init(service: role)], logger: quietLogger()))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        var iterator = ports.makeAsyncIterator()
        let port = try #require(await iterator.next())
        try await body(port, role)
        await group.triggerGracefulShutdown()
        try await tasks.next()
    }
}

@Suite("The role with its parts", .serialized)
struct EndToEndTests {
    let load = key("node_load1")
    let cpu = key("node_cpu_seconds_total", [("cpu", "0")], type: .counter)

    @Test func fakesOverARealSocket() async throws {
        let clock = SystemClock()
        let store = MemoryStore()
        let log = MemoryLog(clock: clock)
        let readiness = Readiness()
        var options = ServeOptions()
        options.http.port = 0
        options.heartbeat = 0
        let load = self.load
        let cpu = self.cpu
        try await withRunning({ onRunning in
            try ServeRole(
                options: options, store: store, log: log, clock: clock, registry: MetricRegistry(), readiness: readiness,
                logger: quietLogger(), onRunning: onRunning)
        }) { port, _ in
            try await eventually("ready") { readiness.isReady }
            let all = try Socket(port: port)
            all.get("/api/v1/events")
            let some = try Socket(port: port)
            some.get("/api/v1/events?metric=node_load1")
            try await eventually("both connected") { all.text().contains(": connected") && some.text().contains(": connected") }
            #expect(all.text().contains("text/event-stream") && all.text().contains("retry: "))
            let now = clock.now()
            try await log.produce([
                ProducerRecord(topic: "samples", key: .shard(Shard(0)), value: scrape([(load, 1.5), (cpu, 10)], at: now))
            ])
            try await eventually("samples arrive") {
                let socket = try Socket(port: port)
                socket.get("/api/v1/series")
                try await eventually("an answer") { socket.text().contains("\"next\"") }
                return socket.text().contains("node_load1")
            }
            for record in [
                ResultRecord.windows([windows(load, at: now), windows(cpu, at: now)]), .forecasts([forecast(cpu, at: now)]),
                .profiles([profile(load, at: now)]),
            ] {
                try await log.produce(
                    record.encode(shard: Shard(0)).map { ProducerRecord(topic: "prometheusdata", key: .shard(Shard(0)), value: $0) })
            }
            try await eventually("events") { all.text().contains("event: profile") && some.text().contains("event: profile") }
            #expect(all.text().contains("event: windows\ndata: {\"results\":[{\"id\":\"\(load.id)\""))
            #expect(all.text().contains("\"last\":{") && all.text().contains("\"value\":1.5"))
            #expect(all.text().contains("event: forecast"))
            #expect(!all.text().contains("\"path\":"))
            #expect(some.text().contains("event: windows"))
            #expect(!some.text().contains("node_cpu"))
            try await eventually("heartbeat") { some.text().contains(": heartbeat") }
        }
    }

    @Test func shutdownEndsOpenStreams() async throws {
        let clock = SystemClock()
        var options = ServeOptions()
        options.http.port = 0
        let held = Mutex<Socket?>(nil)
        let start = ContinuousClock.now
        try await withRunning({ onRunning in
            try ServeRole(
                options: options, store: MemoryStore(), log: MemoryLog(clock: clock), clock: clock, registry: MetricRegistry(),
                readiness: Readiness(), logger: quietLogger(), onRunning: onRunning)
        }) { port, _ in
            let socket = try Socket(port: port)
            socket.get("/api/v1/events")
            try await eventually("connected") { socket.text().contains(": connected") }
            held.withLock { $0 = socket }
        }
        #expect(ContinuousClock.now - start < .seconds(10), "an open stream held the shutdown up")
        #expect(held.withLock { $0 }?.isClosed == true)
    }

    @Test func aListenerThatLeavesIsForgotten() async throws {
        let clock = SystemClock()
        let registry = MetricRegistry()
        var options = ServeOptions()
        options.http.port = 0
        options.maxEventClients = 1
        try await withRunning({ onRunning in
            try ServeRole(
                options: options, store: MemoryStore(), log: MemoryLog(clock: clock), clock: clock, registry: registry,
                readiness: Readiness(), logger: quietLogger(), onRunning: onRunning)
        }) { port, _ in
            try await {
                let first = try Socket(port: port)
                first.get("/api/v1/events")
                try await eventually("connected") { first.text().contains(": connected") }
                let second = try Socket(port: port)
                second.get("/api/v1/events")
                try await eventually("refused") { second.text().contains("503") }
            }()
            try await eventually("gone") { registry.render().contains("almanac_serve_event_listeners 0") }
        }
    }

    @Test func aListenerThatDoesNotReadIsCutOff() async throws {
        let clock = SystemClock()
        let log = MemoryLog(clock: clock)
        let registry = MetricRegistry()
        var options = ServeOptions()
        options.http.port = 0
        options.eventBufferBytes = 100_000
        let keys = (0..<200).map { key("m\($0)") }
        try await withRunning({ onRunning in
            try ServeRole(
                options: options, store: MemoryStore(), log: log, clock: clock, registry: registry, readiness: Readiness(),
                logger: quietLogger(), onRunning: onRunning)
        }) { port, _ in
            // A small receive buffer, and nothing reads it.
            let socket = try Socket(port: port, receiveBuffer: 4096)
            socket.get("/api/v1/events")
            try await eventually("listening") { registry.render().contains("almanac_serve_event_listeners 1") }
            try await eventually("lagged") {
                let now = clock.now()
                for record in ResultRecord.windows(keys.map { windows($0, at: now) }).encode(shard: Shard(0)) {
                    try await log.produce([ProducerRecord(topic: "prometheusdata", key: .shard(Shard(0)), value: record)])
                }
                return registry.render().contains("almanac_serve_events_lagged_total 1")
            }
            try await eventually("cut off") { registry.render().contains("almanac_serve_event_listeners 0") }
            _ = socket
        }
    }

    @Test func aLogThatIsLateIsWaitedFor() async throws {
        let clock = SystemClock()
        let store = MemoryStore()
        let log = MemoryLog(clock: clock)
        let readiness = Readiness()
        log.fail(MessagingError(.unavailable, "no broker answers"))
        store.fail(StorageError(.unavailable, "no database answers"))
        var options = ServeOptions()
        options.http.port = 0
        try await withRunning({ onRunning in
            try ServeRole(
                options: options, store: store, log: log, clock: clock, registry: MetricRegistry(), readiness: readiness,
                logger: quietLogger(), onRunning: onRunning)
        }) { port, _ in
            try await eventually("both are named") {
                let waiting = readiness.waitingParts.map(\.reason).joined()
                return waiting.contains("no broker answers") && waiting.contains("no database answers")
            }
            let socket = try Socket(port: port)
            socket.get("/-/ready")
            try await eventually("503") { socket.text().contains("503") && socket.text().contains("no broker answers") }
            log.fail(nil)
            store.fail(nil)
            try await eventually("ready") { readiness.isReady }
            log.fail(MessagingError(.io, "the disk is gone"))
            try await eventually("waits again") { !readiness.isReady }
            log.fail(nil)
            try await eventually("ready again") { readiness.isReady }
        }
    }

    /// The embedded log and SQLite instead of fakes.
    @Test func realLogAndStore() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("almanac-serve-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        let clock = SystemClock()
        let registry = MetricRegistry()
        let store = try SQLiteStore(SQLiteStoreOptions(path: directory.appendingPathComponent("almanac.sqlite").path))
        let log = try await EmbeddedLog.open(
            EmbeddedLogOptions(directory: directory.appendingPathComponent("log").path), clock: clock, metrics: registry,
            logger: quietLogger())
        let now = clock.now()
        var batch = StoreBatch()
        batch.windows = [windows(load, at: now - 60_000)]
        batch.profiles = [profile(load, at: now - 60_000)]
        batch.forecasts = [forecast(load, at: now - 60_000)]
        let times = (0..<40).map { now - 1_200_000 + Milliseconds($0) * 15_000 }
        batch.chunks = [chunk(load, times: times, values: times.indices.map(Double.init))]
        try await store.write(batch)
        for i in 0..<40 {
            let time = now - 600_000 + Milliseconds(i) * 15_000
            try await log.produce([
                ProducerRecord(topic: "samples", key: .shard(load.id.shard), value: scrape([(load, Double(40 + i))], at: time))
            ])
        }
        let readiness = Readiness()
        var options = ServeOptions()
        options.http.port = 0
        let load = self.load
        try await withRunning({ onRunning in
            try ServeRole(
                options: options, store: store, log: log, clock: clock, registry: registry, readiness: readiness, logger: quietLogger(),
                onRunning: onRunning)
        }) { port, role in
            try await eventually("ready") { readiness.isReady }
            try await role.server.application().test(.router) { client in
                let history = try await client.get("/api/v1/series/\(load.id)/history", [("from", "\(now - 3_600_000)")]).json
                #expect(history["samples"]?.arrayValue?.map { $0.arrayValue?.last?.doubleValue } == (0..<80).map(Double.init))
                let list = try await client.get(
                    "/api/v1/series", [("match[]", #"{__name__=~"node_.*"}"#), ("include", "windows,sparkline")]
                ).json
                #expect(list["series"]?.arrayValue?.first?["last"]?["value"] == 79)
                for value in ResultRecord.windows([windows(load, at: now, avg: 9)]).encode(shard: load.id.shard) {
                    try await log.produce([ProducerRecord(topic: "prometheusdata", key: .shard(load.id.shard), value: value)])
                }
                try await eventually("the live answer") {
                    let latest = try await client.get("/api/v1/series/\(load.id)/windows").json
                    return latest["results"]?.arrayValue?.first?["windows"]?.arrayValue?.first?["avg"] == 9
                }
            }
        }
        await log.close()
        await store.close()
    }
}
