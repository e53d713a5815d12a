import Coordination
import Logging
import Synchronization
import TestSupport
import Testing
import TimeSeries

@testable import Collecting

/// Says what a test tells it to.
private final class ToldCoordinator: Coordinator {
    private let state: Mutex<Duration?>

    init(_ tenure: Duration?) { state = Mutex(tenure) }

    func tell(_ tenure: Duration?) { state.withLock { $0 = tenure } }
    func nextEpoch(for name: String) async throws -> Int64 { 1 }
    func owns(_ name: String) -> Bool { tenure(of: name) != nil }
    func tenure(of name: String) -> Duration? { state.withLock { $0 } }
}

/// A target that goes from one collector to another.
@Suite struct HandoverTests {
    private static let interval: Milliseconds = 10_000

    private func target(_ url: String) -> ScrapeTarget {
        var target = ScrapeTarget(url: url, job: "a")
        target.interval = Self.interval
        target.timeout = 5_000
        return target
    }

    private func options(_ targets: [ScrapeTarget]) -> CollectOptions {
        var options = CollectOptions()
        options.targets = targets
        return options
    }

    private func times(_ bench: RoleBench) throws -> [Milliseconds] {
        try bench.decoded().named("up").values.first?.map(\.time) ?? []
    }

    /// A slot that began before this process owned the target may be done already; the margin is 250 ms here.
    @Test(arguments: [(0, 249, false), (0, 250, true), (3_000, 3_249, false), (3_000, 3_250, true), (3_000, 600_000, true)])
    func whoWakesLateTakesOnlyWhatWasItsOwn(late: Milliseconds, tenure: Int, isTaken: Bool) async throws {
        let server = StubServer { _ in StubServer.page("a 1\n") }
        defer { server.stop() }
        let time = ManualTime(1_700_000_000_000)
        let target = target(server.url)
        let coordinator = ToldCoordinator(.milliseconds(tenure))
        let bench = RoleBench(options([target]), time: time, coordinator: coordinator)
        let slot = ScrapeSchedule(name: target.id, interval: Self.interval).slot(after: time.now())
        try await eventually("the worker waits for its slot") { time.deadlines == [slot] }
        time.set(slot + late)
        try await eventually("and for the next one") { time.deadlines == [slot + Self.interval] }
        coordinator.tell(.seconds(60))
        time.set(slot + Self.interval)
        try await eventually("which it takes") { try times(bench).last == slot + Self.interval }
        #expect(try times(bench).count == (isTaken ? 2 : 1))
        await bench.stop()
    }

    /// What is asked for while the target goes to another collector is dropped, be it a page or a failure, and ends no series.
    @Test(arguments: ["200 OK", "500 Internal Server Error"]) func aPageThatComesAfterTheLossIsDropped(status: String) async throws {
        let coordinator = ToldCoordinator(.seconds(60))
        let isLost = Mutex(false)
        let server = StubServer { _ in
            guard isLost.withLock({ $0 }) else { return StubServer.page("a 1\n") }
            coordinator.tell(nil)
            return StubServer.page("a 2\n", status: status)
        }
        defer { server.stop() }
        let time = ManualTime(1_700_000_000_000)
        let target = target(server.url)
        let bench = RoleBench(options([target]), time: time, coordinator: coordinator)
        let slot = ScrapeSchedule(name: target.id, interval: Self.interval).slot(after: time.now())
        try await eventually("the worker waits for its slot") { time.deadlines == [slot] }
        time.set(slot)
        try await eventually("it takes it") { try times(bench) == [slot] && time.deadlines == [slot + Self.interval] }
        isLost.withLock { $0 = true }
        time.set(slot + Self.interval)
        try await eventually("it has seen the loss") { bench.status("a")?.health == .elsewhere }
        isLost.withLock { $0 = false }
        coordinator.tell(.seconds(60))
        try await eventually("it waits") { time.deadlines == [slot + 2 * Self.interval] }
        time.set(slot + 2 * Self.interval)
        try await eventually("it takes up again") { try times(bench) == [slot, slot + 2 * Self.interval] }
        await bench.stop()
        #expect(try bench.decoded().samples.values.joined().allSatisfy { !$0.isStale })
    }

    /// Only who owns a target says that its series have ended.
    @Test(arguments: [true, false]) func theEndOfATargetIsItsOwnersToTell(owns: Bool) async throws {
        let server = StubServer { _ in StubServer.page("a 1\n") }
        defer { server.stop() }
        let time = ManualTime(1_700_000_000_000)
        let coordinator = ToldCoordinator(.seconds(60))
        let target = target(server.url)
        let bench = RoleBench(options([target]), time: time, coordinator: coordinator)
        let slot = ScrapeSchedule(name: target.id, interval: Self.interval).slot(after: time.now())
        try await eventually("the worker waits for its slot") { time.deadlines == [slot] }
        time.set(slot)
        try await eventually("it takes it") { try times(bench) == [slot] }
        if !owns { coordinator.tell(nil) }
        bench.role.reload(options([]))
        try await eventually("the target is gone") { bench.role.status().isEmpty }
        await bench.stop()
        #expect(try bench.decoded().samples["a{instance=\"127.0.0.1:\(server.port)\",job=\"a\"}"]?.last?.isStale == owns)
    }

    /// No other process can read this machine.
    @Test func theMachineItselfIsNobodyElses() async throws {
        var host = ScrapeTarget.host(instance: "here")
        host.interval = 200
        host.timeout = 200
        let bench = RoleBench(options([host]), coordinator: ToldCoordinator(nil))
        try await eventually("its load is there") { try bench.decoded().samples[#"node_load1{instance="here",job="node"}"#] != nil }
        await bench.stop()
    }

    /// Ten minutes of scrapes wait for a log that is away.
    @Test func tenMinutesOfScrapesMayWait() {
        var options = CollectOptions()
        options.maxPendingSpan = 600_000
        let bench = RoleBench(options)
        defer { bench.task.cancel() }
        let environment = CollectEnvironment(clock: ManualTime(0), logger: Logger(label: "test"), registry: bench.registry)
        let context = WorkerContext(log: bench.log, coordinator: Everything(), environment: environment, options: options)
        #expect([100, 1_000, 15_000, 600_000].map { context.maxPendingScrapes(interval: $0) } == [6_001, 601, 41, 20])
    }
}
