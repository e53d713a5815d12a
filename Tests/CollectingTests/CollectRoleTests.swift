import Coordination
import Fetching
import Foundation
import Logging
import Messaging
import Synchronization
import Telemetry
import TestSupport
import Testing
import TimeSeries

@testable import Collecting

/// A role over a log in memory.
struct RoleBench {
    let log = MemoryLog()
    let registry = MetricRegistry()
    let role: CollectRole
    let task: Task<Void, any Error>

    init(_ options: CollectOptions, time: ManualTime? = nil, coordinator: any Coordinator = Everything()) {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let environment: CollectEnvironment
        if let time {
            environment = CollectEnvironment(clock: time, logger: logger, registry: registry, sleep: time.sleep)
        } else {
            environment = CollectEnvironment(clock: SystemTime(), logger: logger, registry: registry)
        }
        let made = CollectRole(options: options, log: log, coordinator: coordinator, environment: environment)
        role = made
        task = Task { try await made.run() }
    }

    func stop() async {
        task.cancel()
        _ = await task.result
    }

    func decoded() throws -> Decoded { try Decoded(log.records) }

    func status(_ job: String) -> SourceStatus? { role.status().first { $0.job == job } }
}

struct Everything: Coordinator {
    func nextEpoch(for name: String) async throws -> Int64 { 1 }
    func owns(_ name: String) -> Bool { true }
}

private func target(_ url: String, job: String, interval: Milliseconds = 200, timeout: Milliseconds = 150) -> ScrapeTarget {
    var target = ScrapeTarget(url: url, job: job)
    target.interval = interval
    target.timeout = timeout
    return target
}

private func options(_ targets: [ScrapeTarget]) -> CollectOptions {
    var options = CollectOptions()
    options.targets = targets
    return options
}

@Suite struct CollectRoleTests {
    @Test func scrapesStandOnTheirSlots() async throws {
        let server = StubServer { _ in StubServer.page("a 1\n") }
        defer { server.stop() }
        let time = ManualTime(1_700_000_000_000)
        let target = target(server.url, job: "a", interval: 15_000, timeout: 10_000)
        let bench = RoleBench(options([target]), time: time)
        let schedule = ScrapeSchedule(name: target.id, interval: 15_000)
        let first = schedule.slot(after: time.now())
        for (i, late) in ([0, 3, 100, 101] as [Milliseconds]).enumerated() {
            try await eventually("the worker waits for its slot") { time.deadlines == [first + Int64(i) * 15_000] }
            time.set(first + Int64(i) * 15_000 + late)
            try await eventually("scrape \(i) is sent") { try bench.decoded().named("up").values.first?.count == i + 1 }
        }
        let times = try #require(try bench.decoded().named("up").values.first).map(\.time)
        #expect(times == [first, first + 15_000, first + 30_000, first + 45_101])
        await bench.stop()
    }

    @Test func missedSlotsAreSkippedNotMadeUpFor() async throws {
        let server = StubServer { _ in StubServer.page("a 1\n") }
        defer { server.stop() }
        let time = ManualTime(1_700_000_000_000)
        let target = target(server.url, job: "a", interval: 15_000, timeout: 10_000)
        let bench = RoleBench(options([target]), time: time)
        let first = ScrapeSchedule(name: target.id, interval: 15_000).slot(after: time.now())
        try await eventually("the worker waits") { time.deadlines == [first] }
        // The machine slept through ten slots.
        time.set(first + 10 * 15_000 + 20)
        try await eventually("one scrape is made, at the present slot") {
            try bench.decoded().named("up").values.first?.map(\.time) == [first + 150_000]
        }
        try await eventually("and the next is due in its turn") { time.deadlines == [first + 165_000] }
        await bench.stop()
    }

    @Test func aClockSetBackDoesNotStopTheScrapes() async throws {
        let server = StubServer { _ in StubServer.page("a 1\n") }
        defer { server.stop() }
        let time = ManualTime(1_700_000_000_000)
        let target = target(server.url, job: "a", interval: 15_000, timeout: 10_000)
        let bench = RoleBench(options([target]), time: time)
        let schedule = ScrapeSchedule(name: target.id, interval: 15_000)
        try await eventually("the worker waits") { time.deadlines.count == 1 }
        time.set(schedule.slot(after: time.now()))
        try await eventually("scraped") { try bench.decoded().named("up").values.first?.count == 1 }
        try await eventually("the worker waits again") { time.deadlines.count == 1 }
        let deadline = time.deadlines[0]
        // An hour back: the sleeper wakes by its own timer, so the test moves on in steps.
        time.set(deadline - 3_600_000)
        let early = schedule.slot(after: time.now())
        // The sleep under way measures real time: it ends after at most one interval.
        time.wakeAll()
        try await eventually("the slot is set anew") { time.deadlines == [early] }
        time.set(early)
        try await eventually("scraped again") { try bench.decoded().named("up").values.first?.count == 2 }
        await bench.stop()
    }

    @Test func badTargetsNeitherDisturbNorStopTheGoodOne() async throws {
        let bomb = try gzipped([UInt8](repeating: UInt8(ascii: "a"), count: 20 << 20))
        let good = StubServer { _ in StubServer.page("a 1\n") }
        let hanging = StubServer { _ in .hang }
        let bombing = StubServer { _ in StubServer.page(bomb, headers: "Content-Encoding: gzip\r\n") }
        let endless = StubServer { _ in
            .endless(head: "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n", chunk: Array("a 1\n".utf8))
        }
        let large = StubServer { _ in StubServer.page([UInt8](repeating: 0x0A, count: 2 << 20)) }
        let truncated = StubServer { _ in .bytes(Array("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na 1\nb".utf8)) }
        let binary = StubServer { _ in StubServer.page((0..<4_096).map { UInt8(truncatingIfNeeded: $0 &* 37) }) }
        let noGzip = StubServer { _ in StubServer.page("this is no gzip", headers: "Content-Encoding: gzip\r\n") }
        let failing = StubServer { _ in StubServer.page("a 1\n", status: "503 Service Unavailable") }
        let garbage = StubServer { _ in .bytes(Array("SSH-2.0-OpenSSH_9.2\r\n".utf8)) }
        let bad = [
            ("hanging", hanging), ("bombing", bombing), ("endless", endless), ("large", large), ("truncated", truncated),
            ("binary", binary),
            ("nogzip", noGzip), ("failing", failing), ("garbage", garbage),
        ]
        defer {
            good.stop()
            for (_, server) in bad { server.stop() }
        }
        var targets = bad.map { name, server in
            var target = target(server.url, job: name, interval: 400, timeout: 300)
            target.maxBodyBytes = 1 << 20
            return target
        }
        targets.append(target("http://127.0.0.1:\(freePort())/", job: "refused", interval: 400, timeout: 300))
        targets.append(target(good.url, job: "good", interval: 400, timeout: 300))
        let bench = RoleBench(options(targets))
        try await eventually("all have been tried twice") {
            let decoded = try bench.decoded().named("up")
            return decoded.count == targets.count && decoded.values.allSatisfy { $0.count >= 2 }
        }
        for target in targets where target.job != "good" {
            let status = try #require(bench.status(target.job))
            #expect(status.health == .down, "\(target.job)")
            #expect(status.lastError != nil, "\(target.job)")
        }
        #expect(bench.status("hanging")?.lastError == "no complete answer within 300 ms")
        #expect(bench.status("bombing")?.lastError == "the body is larger than the limit of 1048576 bytes")
        #expect(bench.status("large")?.lastError == "the body is larger than the limit of 1048576 bytes")
        #expect(bench.status("failing")?.lastError == "the server answered with HTTP status 503")
        #expect(bench.status("binary")?.lastError?.hasPrefix("malformed page: line ") == true)
        #expect(
            bench.status("refused")?.lastError?.localizedStandardContains("refused") == true, "\(bench.status("refused")?.lastError ?? "")")
        #expect(bench.status("good")?.health == .up)
        let ups = try bench.decoded().named("up").filter { $0.key.contains("job=\"good\"") }.values.flatMap { $0 }
        #expect(ups.allSatisfy { $0.value == 1 })
        #expect(bench.registry.render().contains("almanac_collect_targets_up 1\n"))
        await bench.stop()
    }

    @Test func gzipIsAskedForAndRead() async throws {
        let body = try gzipped(Array("a 42\n".utf8))
        let seen = Mutex<[StubServer.Request]>([])
        let server = StubServer { request in
            seen.withLock { $0.append(request) }
            return StubServer.page(body, headers: "Content-Encoding: gzip\r\n")
        }
        defer { server.stop() }
        var one = target(server.url + "/m?x=y", job: "a")
        one.credentials = .basic(user: "u", password: "p")
        let bench = RoleBench(options([one]))
        try await eventually("the page is read") { try bench.decoded().named("a").values.first?.first?.value == 42 }
        await bench.stop()
        let request = try #require(seen.withLock { $0.first })
        #expect(request.path == "/m?x=y")
        #expect(request.header("accept-encoding") == "gzip")
        #expect(request.header("accept")?.hasPrefix("application/openmetrics-text;version=1.0.0,") == true)
        #expect(request.header("accept")?.contains("text/plain;version=0.0.4") == true)
        #expect(request.header("authorization") == "Basic dTpw")
        #expect(request.header("x-prometheus-scrape-timeout-seconds") == "0.15")
    }

    @Test func aTargetThatStallsAndComesBack() async throws {
        let isUp = Mutex(true)
        let server = StubServer { _ in isUp.withLock { $0 } ? StubServer.page("a 1\n") : .hang }
        defer { server.stop() }
        let bench = RoleBench(options([target(server.url, job: "a")]))
        try await eventually("up") { bench.status("a")?.health == .up }
        isUp.withLock { $0 = false }
        try await eventually("down") { bench.status("a")?.health == .down }
        isUp.withLock { $0 = true }
        try await eventually("up again") { bench.status("a")?.health == .up }
        await bench.stop()
        let samples = try #require(try bench.decoded().named("a").values.first)
        #expect(samples.count(where: \.isStale) == 1)
        #expect(samples.map(\.time) == samples.map(\.time).sorted())
    }

    @Test func aReloadStartsEndsAndLeavesAlone() async throws {
        let server = StubServer { _ in StubServer.page("a 1\n") }
        defer { server.stop() }
        let (kept, removed, added) = (
            target(server.url + "/k", job: "kept"), target(server.url + "/r", job: "removed"), target(server.url + "/n", job: "added")
        )
        let bench = RoleBench(options([kept, removed]))
        try await eventually("both are up") { bench.role.status().count(where: { $0.health == .up }) == 2 }
        bench.role.reload(options([kept, added]))
        try await eventually("the new one is up") { bench.status("added")?.health == .up }
        #expect(bench.status("removed") == nil)
        await bench.stop()
        let decoded = try bench.decoded()
        for (series, samples) in decoded.samples {
            if series.contains("removed") {
                #expect(samples.last?.isStale == true, "\(series)")
                #expect(samples.count(where: \.isStale) == 1, "\(series)")
            } else {
                #expect(samples.allSatisfy { !$0.isStale }, "\(series)")
            }
        }
    }

    @Test func aChangedIntervalDoesNotEndTheSeries() async throws {
        let server = StubServer { _ in StubServer.page("a 1\n") }
        defer { server.stop() }
        let bench = RoleBench(options([target(server.url, job: "a")]))
        try await eventually("up") { bench.status("a")?.health == .up }
        bench.role.reload(options([target(server.url, job: "a", interval: 300)]))
        let before = try bench.decoded().named("up").values.first?.count ?? 0
        try await eventually("it goes on") { (try bench.decoded().named("up").values.first?.count ?? 0) >= before + 3 }
        await bench.stop()
        #expect(try bench.decoded().samples.values.joined().allSatisfy { !$0.isStale })
    }

    @Test func whatBelongsToAnotherProcessIsLeftToIt() async throws {
        struct Share: Coordinator {
            func nextEpoch(for name: String) async throws -> Int64 { 1 }
            func owns(_ name: String) -> Bool { name.hasSuffix("/mine") }
        }
        let server = StubServer { _ in StubServer.page("a 1\n") }
        defer { server.stop() }
        let bench = RoleBench(
            options([target(server.url + "/mine", job: "mine"), target(server.url + "/other", job: "other")]), coordinator: Share())
        try await eventually("one is up, one elsewhere") {
            bench.status("mine")?.health == .up && bench.status("other")?.health == .elsewhere
        }
        await bench.stop()
        #expect(try !bench.decoded().samples.keys.contains { $0.contains("job=\"other\"") })
    }

    @Test func theMachineItselfIsATarget() async throws {
        var host = ScrapeTarget.host(instance: "here")
        host.interval = 200
        host.timeout = 200
        let bench = RoleBench(options([host]))
        try await eventually("its load is there") { try bench.decoded().samples[#"node_load1{instance="here",job="node"}"#] != nil }
        await bench.stop()
        #expect(bench.registry.render().contains("almanac_collect_scrapes_total{result=\"down\"} 0"))
    }

    @Test func theLogsRefusalDoesNotLoseWhatFitsAndTheEndDrains() async throws {
        let server = StubServer { _ in StubServer.page("a 1\n") }
        defer { server.stop() }
        let bench = RoleBench(options([target(server.url, job: "a", interval: 100, timeout: 100)]))
        bench.log.set(.fails(MessagingError(.storageFull, "no space")))
        try await eventually("some wait") { (bench.status("a")?.pending ?? 0) >= 3 }
        bench.log.set(.takes)
        await bench.stop()
        let times = try #require(try bench.decoded().named("up").values.first).map(\.time)
        #expect(times.count >= 3)
        #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test func wrongOptionsAreLeftOutAndNamed() async throws {
        let server = StubServer { _ in StubServer.page("a 1\n") }
        defer { server.stop() }
        let good = target(server.url, job: "a")
        let wrong = options([target("nonsense", job: "x"), good, good])
        #expect(wrong.problems().count == 2, "\(wrong.problems())")
        let bench = RoleBench(wrong)
        try await eventually("the good one is up") { bench.status("a")?.health == .up }
        #expect(bench.role.status().count == 1)
        await bench.stop()
    }
}
