import Glibc
import KafkaMessaging
import Messaging
import Records
import Storage
import Telemetry
import TestSupport
import Testing
import TimeSeries

/// Two collectors, two analyzers, two stores and one server as processes of their own, killed at random together with their database: what
/// was acknowledged is all there, once, and every target was scraped by one collector at a time.
@Suite(.enabled(if: Topology.isPossible), .serialized) struct ChaosTests {
    private static func setting(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

    /// How long processes are killed.
    private static let seconds = Double(setting("ALMANAC_TEST_TOPOLOGY_SECONDS") ?? 40)

    @Test func killedAtRandomItLosesAndDoublesNothing() async throws { try await rage(Topology.Plan()) }

    @Test(.enabled(if: GivenCassandra.canBeKilled, Comment(rawValue: GivenCassandra.lacking)))
    func killedAtRandomWithCassandraItLosesAndDoublesNothing() async throws {
        var plan = Topology.Plan()
        plan.usesCassandra = true
        try await rage(plan)
    }

    private func rage(_ plan: Topology.Plan) async throws {
        let seed = Self.setting("ALMANAC_TEST_TOPOLOGY_SEED") ?? UInt64.random(in: 0...UInt64.max)
        let topology = try Topology(plan)
        defer { topology.stop() }
        try await topology.startZooKeeper()
        try await topology.startDatabase()
        try await topology.makeAll()
        let log = try await KafkaLog.open(topology.kafkaOptions(), metrics: MetricRegistry(), logger: quiet())
        let reader = try await SampleReader(log, topic: topology.samples)
        for member in topology.members { try member.start() }
        for member in topology.members { try await member.awaitReady() }
        var chaos = Chaos(topology: topology, seed: seed)
        try await chaos.rage(seconds: Self.seconds)
        print("seed \(seed): killed \(chaos.kills.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)x" }.joined(separator: ", "))")
        for member in topology.members { try await member.awaitReady() }
        try await drain(topology, reader, log, seed)
        #expect(reader.problem == nil, "seed \(seed)")
        try await Comparison(topology: topology, reader: reader, seed: seed).run()
        ScrapeCheck(topology: topology, reader: reader, seed: seed).run()
        await log.close()
    }

    /// Ends the roles from the source on; each in order once it has nothing left to do.
    private func drain(_ topology: Topology, _ reader: SampleReader, _ log: KafkaLog, _ seed: UInt64) async throws {
        for member in topology.of("collect") { #expect(member.end(SIGTERM) == 0, "seed \(seed): \(member.tail)") }
        try await eventually("the reader has all samples", every: .milliseconds(50)) { try await reader.hasReadAll() }
        let last = reader.series.values.compactMap { $0.samples.keys.max() }.max() ?? 0
        let store = try topology.database.open()
        let series = reader.series.values.map(\.key.id)
        try await eventually("all rows are stored up to the last sample, seed \(seed)", within: 120, every: .milliseconds(200)) {
            let latest = try await store.latestWindows(series)
            return !latest.isEmpty && latest.allSatisfy { $0.time > last + 1000 }
        }
        await store.close()
        for member in topology.of("analyze") { #expect(member.end(SIGTERM) == 0, "seed \(seed): \(member.tail)") }
        try await eventually("all results are stored, seed \(seed)", within: 60, every: .milliseconds(100)) {
            for topic in [topology.results, topology.chunks] {
                let committed = try await log.committedOffsets(topic: topic, group: "almanac-store")
                for (place, end) in try await log.endOffsets(topic: topic) where committed[place] ?? 0 < end { return false }
            }
            return true
        }
        for member in topology.of("store") + topology.of("serve") { #expect(member.end(SIGTERM) == 0, "seed \(seed): \(member.tail)") }
    }
}

/// Kills and starts again.
struct Chaos {
    let topology: Topology
    private var random: SplitMix64
    private(set) var kills: [String: Int] = [:]
    /// Who is down, and when it is started again, or goes on after a SIGSTOP.
    private var down: [(name: String, until: ContinuousClock.Instant, isStopped: Bool)] = []
    private var collectorRests: ContinuousClock.Instant = .now
    /// Seconds from one kill to the next.
    private let between: ClosedRange<Double>
    private var next = ContinuousClock.now + .seconds(2)

    init(topology: Topology, seed: UInt64, between: ClosedRange<Double> = 0.3...4) {
        self.topology = topology
        self.between = between
        random = SplitMix64(seed: seed)
    }

    mutating func rage(seconds: Double) async throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            try await step()
            try await Task.sleep(for: .milliseconds(50))
        }
        try await settle()
    }

    /// Does what is due.
    mutating func step() async throws {
        try await restartDue()
        if ContinuousClock.now < next { return }
        try await kill()
        next = .now + .seconds(Double.random(in: between, using: &random))
    }

    /// Everybody is up again.
    mutating func settle() async throws {
        while !down.isEmpty {
            try await restartDue()
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private mutating func kill() async throws {
        let names = topology.members.map(\.name) + ["database"]
        let name = names[Int.random(in: 0..<names.count, using: &random)]
        // Beyond the timeouts of Kafka's and ZooKeeper's sessions: who goes on then must not believe what it knew.
        let isStopped = Int.random(in: 0..<4, using: &random) == 0
        let pause = Double.random(in: isStopped ? 5...9 : 0.1...4, using: &random)
        if down.contains(where: { $0.name == name }) { return }
        if name.hasPrefix("collect") {
            // A target is without a collector for one session timeout: so long as one of the two is well.
            guard ContinuousClock.now >= collectorRests else { return }
            for member in topology.of("collect") { guard await member.isReady else { return } }
            collectorRests = .now + .seconds(pause + 10)
        }
        // Not the broker: the mock's asserts fail when a member joins again whose connection it closed.
        if name == "database" {
            if isStopped {
                guard topology.database.signal(SIGSTOP) else { return }
            } else {
                try topology.database.kill()
            }
        } else if isStopped {
            topology.member(name).signal(SIGSTOP)
        } else {
            let member = topology.member(name)
            #expect(member.isRunning, "it ended by itself: \(member.tail)")
            member.end(SIGKILL)
        }
        kills[isStopped ? name + " stopped" : name, default: 0] += 1
        down.append((name, .now + .seconds(pause), isStopped))
    }

    private mutating func restartDue() async throws {
        let due = down.filter { $0.until <= .now }
        down.removeAll { $0.until <= .now }
        for (name, _, isStopped) in due {
            if isStopped {
                if name == "database" { _ = topology.database.signal(SIGCONT) } else { topology.member(name).signal(SIGCONT) }
            } else if name == "database" {
                try await topology.database.start()
            } else {
                try topology.member(name).start()
            }
        }
    }
}

/// Compares every stored row and chunk with what the acknowledged samples give.
struct Comparison {
    let topology: Topology
    let reader: SampleReader
    let seed: UInt64

    func run() async throws {
        let store = try topology.database.open()
        var random = SplitMix64(seed: seed)
        let all = reader.series.values.sorted { $0.key.id < $1.key.id }
        let stub = all.filter { $0.key.labels["job"] != "real" }
        let real = all.filter { $0.key.labels["job"] == "real" }.shuffled(using: &random).prefix(60)
        #expect(
            stub.count >= (topology.exporters.count + 1) * (Exporter.gauges + 2) && real.count > 10,
            "seed \(seed): \(stub.count), \(real.count)")
        var rows = 0
        var sealed = 0
        for series in stub + real {
            let samples = series.samples.sorted { $0.key < $1.key }.map { (time: $0.key, value: $0.value) }
            rows += try await compareRows(store, series.key, samples)
            sealed += try await compareChunks(store, series.key, samples)
        }
        print("seed \(seed): \(stub.count + real.count) series, \(rows) windows and \(sealed) chunks compared")
        #expect(rows > 5_000 && sealed > 50, "seed \(seed): the test must see rows and chunks: \(rows), \(sealed)")
        await store.close()
    }

    private func compareRows(_ store: any ResultStore, _ key: SeriesKey, _ samples: [(time: Milliseconds, value: Double)]) async throws
        -> Int
    {
        let history = try await store.windowsHistory(key.id, from: 0, to: .max, limit: 100_000)
        #expect(!history.isEmpty, "seed \(seed): no rows of \(key.labels)")
        for (a, b) in zip(history, history.dropFirst()) {
            #expect(b.time - a.time == 1_000, "seed \(seed): \(key.labels) has no rows from \(a.time) to \(b.time)")
        }
        var count = 0
        for row in history {
            for window in row.windows {
                let values = expectedValues(key.type, samples, at: row.time, window: window.window)
                let mean = values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
                let isEqual =
                    window.count == values.count && window.min == values.min() && window.max == values.max()
                    && (values.isEmpty || abs((window.avg ?? .infinity) - mean) <= 1e-11 * max(1, abs(mean)))
                count += 1
                if isEqual { continue }
                let inside = samples.filter { $0.time > row.time - window.window && $0.time <= row.time }.map(\.time)
                Issue.record(
                    """
                    seed \(seed): \(key.labels) at \(row.time) over \(window.window) ms, revision \(row.revision): \(window), \
                    expected \(values.count) values, mean \(mean), of samples at \(inside)
                    """)
                return count
            }
        }
        return count
    }

    private func compareChunks(_ store: any ResultStore, _ key: SeriesKey, _ samples: [(time: Milliseconds, value: Double)]) async throws
        -> Int
    {
        let chunks = try await store.chunks(of: key.id, from: 0, to: .max)
        for chunk in chunks {
            let inside = samples.filter { $0.time > chunk.start && $0.time <= chunk.end }
            let times = try ChunkCodec.decode(chunk.data).times
            #expect(times == inside.map(\.time), "seed \(seed): chunk \(chunk.start) to \(chunk.end) of \(key.labels)")
        }
        return chunks.count
    }
}

/// Who scraped which target when.
struct ScrapeCheck {
    let topology: Topology
    let reader: SampleReader
    let seed: UInt64

    private static let interval: Milliseconds = 1000
    /// From the end of a collector to the first scrape by another: its session, the servers' tick, a slot, and a slow machine's delays.
    private static let longestGap = Topology.sessionTimeout + 3500

    func run() {
        var longest: Milliseconds = 0
        for (i, exporter) in topology.exporters.enumerated() {
            let instance = "127.0.0.1:\(exporter.port)"
            let ofTarget = reader.series.values.filter { $0.key.labels["instance"] == instance }
            guard let pages = ofTarget.first(where: { $0.key.labels.name == "page_number" }) else {
                Issue.record("seed \(seed): no pages of exporter \(i) are on the topic")
                continue
            }
            let offset = commonOffset(pages.arrivals.map(\.time))
            // On the topic: the numbers of the pages that carry a time of one slot.
            var bySlot: [Int64: Set<Double>] = [:]
            for arrival in pages.arrivals where !arrival.value.isNaN {
                bySlot[(arrival.time - offset) / Self.interval, default: []].insert(arrival.value)
            }
            for (slot, numbers) in bySlot where numbers.count > 1 {
                Issue.record("seed \(seed): exporter \(i) has pages \(numbers) in slot \(slot)")
            }
            longest = max(longest, checkVisits(exporter.all, offset, i))
            let times = pages.samples.keys.sorted()
            for (a, b) in zip(times, times.dropFirst()) where b - a > Self.longestGap {
                Issue.record("seed \(seed): exporter \(i) was not scraped from \(a) to \(b), \(b - a) ms")
            }
        }
        checkPrometheus()
        print("seed \(seed): the longest time without a scrape was \(longest) ms")
    }

    /// What Prometheus scraped meanwhile is read afterwards.
    private func checkPrometheus() {
        let pages = reader.series.values.first { $0.key.labels["job"] == "prometheus" && $0.key.labels.name == "page_number" }
        let numbers = pages.map { $0.samples.sorted { $0.key < $1.key }.map(\.value).filter { !$0.isNaN } } ?? []
        #expect(numbers.count > 10, "seed \(seed): \(numbers.count) pages from Prometheus")
        for (a, b) in zip(numbers, numbers.dropFirst()) where b != a + 1 {
            Issue.record("seed \(seed): of the pages that Prometheus scraped \(a) is followed by \(b)")
        }
    }

    /// Also scrapes that never came to the topic: two collectors never ask in one slot. Gives the longest pause.
    private func checkVisits(_ visits: [Exporter.Visit], _ offset: Milliseconds, _ exporter: Int) -> Milliseconds {
        var longest: Milliseconds = 0
        for (a, b) in zip(visits, visits.dropFirst()) {
            longest = max(longest, b.time - a.time)
            let isSameSlot = (a.time - offset) / Self.interval == (b.time - offset) / Self.interval
            if isSameSlot && a.collector != b.collector {
                Issue.record("seed \(seed): exporter \(exporter) was asked by \(a) and \(b) in one slot (offset \(offset))")
            }
        }
        #expect(Set(visits.map(\.collector)).isSubset(of: ["collect-1", "collect-2"]))
        return longest
    }

    /// Scrapes that begin in time carry the time of their slot: the remainder that most times have is the target's offset.
    private func commonOffset(_ times: [Milliseconds]) -> Milliseconds {
        let counts = Dictionary(times.map { ($0 % Self.interval, 1) }, uniquingKeysWith: +)
        return counts.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key ?? 0
    }
}
