import HTTPKit
import Hummingbird
import Logging
import Messaging
import Records
import ServiceLifecycle
import Storage
import Telemetry
import TimeSeries

/// The role serve: answers what has been, what things are like and what comes next, over HTTP.
///
/// Reads the store for history and tails the result topics for what is live. Start order does not matter: what is not there yet is
/// waited for and named on `/-/ready`.
package final class ServeRole: Service, Sendable {
    private let options: ServeOptions
    private let store: any ResultStore
    private let log: any MessageLog
    private let clock: any WallClock
    private let readiness: Readiness
    private let logger: Logger
    private let live: LiveCache
    private let traffic: TrafficLive
    private let recent: RecentSamples
    let hub: EventHub
    private let events: ResultEvents
    private let undecodable: Counter
    /// The HTTP face; tests drive its application without a socket.
    package let server: HTTPServer

    /// - Parameters:
    ///   - reload: what `POST /-/reload` does, and the sections that wait for a restart; without it there is no such path.
    ///   - moreRoutes: of other roles in this process.
    ///   - onRunning: called once with the bound port.
    /// - Throws: `HTTPServerError` if the HTTP options must not be served.
    package init(
        options: ServeOptions, store: any ResultStore, log: any MessageLog, clock: any WallClock, registry: MetricRegistry,
        readiness: Readiness, logger: Logger, reload: (@Sendable () async throws -> [String])? = nil, moreRoutes: [HTTPRoute] = [],
        onRunning: @escaping @Sendable (Int) -> Void = { _ in }
    ) throws(HTTPServerError) {
        self.options = options
        self.store = store
        self.log = log
        self.clock = clock
        self.readiness = readiness
        self.logger = logger
        live = LiveCache(maxBytes: options.liveBytes)
        traffic = TrafficLive(maxBytes: options.liveTrafficBytes)
        recent = RecentSamples(span: options.recentSpan, maxBytes: options.recentBytes)
        hub = EventHub(maxListeners: options.maxEventClients, bufferBytes: options.eventBufferBytes, registry: registry, clock: clock)
        events = ResultEvents(recent: recent)
        undecodable = registry.counter(
            "almanac_serve_undecodable_records_total", help: "Records that could not be read and were passed over.")
        let catalogue = SeriesCatalogue(store: store, live: live, recent: recent)
        let reads = ServeRole.routes(catalogue, TrafficCatalogue(store: store, live: traffic), hub, options, clock)
        let writes = ServeRole.routes(TrafficIngest(options: options, log: log, clock: clock, registry: registry))
        server = try HTTPServer(
            options: options.http, routes: reads + writes + moreRoutes, registry: registry, readiness: readiness, reload: reload,
            logger: logger,
            onRunning: onRunning)
        let parts = ["store", "results", "samples"] + (options.trafficTopic.isEmpty ? [] : ["traffic"])
        for part in parts { readiness.set(part, waitingFor: "starting") }
        ServeRole.measure(live, recent, traffic, registry)
    }

    /// Serves until graceful shutdown or cancellation.
    package func run() async throws {
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                let now = clock.now()
                // A little back, so that nothing falls between what the store has and what the tail brings.
                group.addTask { await self.resultsTail.run(from: now - 120_000) }
                group.addTask { await self.samplesTail.run(from: now - self.options.recentSpan) }
                if !options.trafficTopic.isEmpty { group.addTask { await self.trafficTail.run(from: now - 120_000) } }
                group.addTask { await self.watchStore() }
                group.addTask { await self.tick() }
                defer { group.cancelAll() }
                try await server.run()
            }
        } onGracefulShutdown: {
            self.hub.close()
        }
    }

    private var resultsTail: TopicTail {
        TopicTail(
            part: "results", topics: options.resultsTopics, log: log, clock: clock, readiness: readiness, logger: logger,
            receive: { self.receive(results: $0) }, following: { self.live.isCurrent = $0 })
    }

    private var samplesTail: TopicTail {
        TopicTail(
            part: "samples", topics: [options.samplesTopic], log: log, clock: clock, readiness: readiness, logger: logger,
            receive: { self.receive(samples: $0) }, following: { _ in })
    }

    private var trafficTail: TopicTail {
        TopicTail(
            part: "traffic", topics: [options.trafficTopic], log: log, clock: clock, readiness: readiness, logger: logger,
            receive: { self.receive(traffic: $0) }, following: { _ in })
    }

    func receive(results records: [ConsumerRecord]) {
        for record in records {
            do {
                let decoded = try ResultRecord.decode(record.value)
                live.apply(decoded)
                guard hub.hasListeners else { continue }
                let (name, items) = events.event(decoded)
                if !items.isEmpty { hub.publish(name, items) }
            } catch {
                passOver(record, error)
            }
        }
    }

    func receive(samples records: [ConsumerRecord]) {
        for record in records {
            do { try recent.apply(record.value, now: clock.now()) } catch { passOver(record, error) }
        }
    }

    func receive(traffic records: [ConsumerRecord]) {
        for record in records {
            do {
                let news = traffic.apply(try TrafficRecord.decode(record.value))
                guard hub.hasListeners else { continue }
                let (name, items) = TrafficEvents.event(news)
                if !items.isEmpty { hub.publish(name, items) }
            } catch {
                passOver(record, error)
            }
        }
    }

    private func passOver(_ record: ConsumerRecord, _ error: any Error) {
        undecodable.add()
        logger.debug(
            "record passed over",
            metadata: ["topic": "\(record.topic)", "partition": "\(record.partition)", "offset": "\(record.offset)", "error": "\(error)"])
    }

    private func watchStore() async {
        while !Task.isCancelled {
            do {
                try await store.checkHealth()
                readiness.set("store", waitingFor: nil)
            } catch {
                readiness.set("store", waitingFor: "the store: \(error)")
            }
            try? await Task.sleep(for: .seconds(readiness.isReady ? 5 : 1))
        }
    }

    private func tick() async {
        var beat = clock.now()
        var pruned = beat
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            let now = clock.now()
            hub.reap()
            if now - beat >= options.heartbeat {
                hub.heartbeat()
                beat = now
            }
            if now - pruned >= 60_000 {
                recent.prune(now: now)
                pruned = now
            }
        }
    }

    private static func measure(_ live: LiveCache, _ recent: RecentSamples, _ traffic: TrafficLive, _ registry: MetricRegistry) {
        let liveSeries = registry.gauge("almanac_serve_live_series", help: "Series with newest windows in memory.")
        let liveBytes = registry.gauge("almanac_serve_live_bytes", help: "Memory of the newest results, estimated.")
        let liveEvicted = registry.gauge("almanac_serve_live_evicted", help: "Newest results that left memory for want of room.")
        let recentSeries = registry.gauge("almanac_serve_recent_series", help: "Series with recent raw samples in memory.")
        let recentSamples = registry.gauge("almanac_serve_recent_samples", help: "Recent raw samples in memory.")
        let recentEvicted = registry.gauge("almanac_serve_recent_evicted", help: "Raw samples that left memory for want of room.")
        let trafficRows = registry.gauge("almanac_serve_traffic_rows", help: "Newest rows of the traffic in memory.")
        let trafficBytes = registry.gauge("almanac_serve_traffic_bytes", help: "Memory of the newest rows of the traffic, estimated.")
        let trafficEvicted = registry.gauge("almanac_serve_traffic_evicted", help: "Rows of the traffic that left memory for want of room.")
        registry.onCollect {
            liveSeries.set(Double(live.size.series))
            liveBytes.set(Double(live.size.bytes))
            liveEvicted.set(Double(live.size.evicted))
            recentSeries.set(Double(recent.size.series))
            recentSamples.set(Double(recent.size.samples))
            recentEvicted.set(Double(recent.size.evicted))
            trafficRows.set(Double(traffic.size.rows))
            trafficBytes.set(Double(traffic.size.bytes))
            trafficEvicted.set(Double(traffic.size.evicted))
        }
    }
}
