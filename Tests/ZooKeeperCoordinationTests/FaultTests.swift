import Coordination
import Glibc
import Telemetry
import TestSupport
import Testing

@testable import ZooKeeperCoordination

/// What can go wrong with one server and with the processes.
@Suite(.enabled(if: ZooKeeperServer.isInstalled), .serialized) struct ZooKeeperFaultTests {
    @Test func aServerThatIsAbsentAtStartIsWaitedFor() async throws {
        let server = try ZooKeeperServer()
        let processes = Processes(server.address)
        let patient = try processes.open("a", callTimeout: .seconds(30))
        let hasty = try processes.open("b", callTimeout: .milliseconds(300))
        let error = await #expect(throws: CoordinationError.self) { try await hasty.nextEpoch(for: "x") }
        #expect(error?.code == .unavailable)
        #expect(error?.description.contains(server.address) == true, "\(error?.description ?? "")")
        #expect(!patient.owns("n") && !patient.status.isReady && patient.status.connection == .connecting)
        async let epoch = patient.nextEpoch(for: "x")
        try server.start()
        #expect(try await epoch == 1)
        try await eventually("both own") { ownsAll(patient, hasty) }
        await processes.closeAll()
    }

    @Test func aHostThatDoesNotExistIsAnErrorNotACrash() async throws {
        let processes = Processes("no-such-host.invalid:2181")
        let process = try processes.open("a", callTimeout: .milliseconds(500))
        let error = await #expect(throws: CoordinationError.self) { try await process.nextEpoch(for: "x") }
        #expect(error?.code == .unavailable)
        await processes.closeAll()
    }

    /// The server stops answering, connections stay: work must stop before the server could give it to another.
    @Test func workStopsBeforeTheSessionCanExpire() async throws {
        let server = try await ZooKeeperServer.started()
        let processes = Processes(server.address)
        let (a, b) = (try processes.open("a"), try processes.open("b"))
        a.campaign(for: "x")
        try await eventually("both own, one leads") { ownsAll(a, b) && a.isLeader(of: "x") }
        let told = Told(a.events())
        let watch = OwnershipWatch([a, b])
        server.pause()
        let paused = ContinuousClock.now
        try await eventually("nothing is owned or led") {
            names(60).allSatisfy { !a.owns($0) && !b.owns($0) } && !a.isLeader(of: "x") && !a.status.isReady
        }
        #expect(paused.duration(to: .now) < Processes.timeout)
        // The lease ends by the clock, the telling comes after: a server back in between would leave nothing to tell.
        try await eventually("the loss is told") {
            told.ofLease.first == .lease(held: false) && told.all.contains(.leadership(of: "x", held: false))
        }
        server.resume()
        try await eventually("all is owned again") { ownsAll(a, b) && a.isLeader(of: "x") && a.status.isReady }
        #expect(watch.stop() == [])
        try await eventually("the lease was lost and found") { told.ofLease.prefix(2) == [.lease(held: false), .lease(held: true)] }
        await processes.closeAll()
        let page = processes.registry.render()
        #expect(page.contains("almanac_coordination_leases_lost_total") && !page.contains("almanac_coordination_leases_lost_total 0"))
    }

    @Test func aServerThatIsKilledAndComesBackKeepsEpochs() async throws {
        let server = try await ZooKeeperServer.started()
        let processes = Processes(server.address)
        let process = try processes.open("a", callTimeout: .seconds(30))
        let before = try await process.nextEpoch(for: "x")
        let version = try await process.writeConfiguration([1], expectedVersion: nil)
        try await eventually("it owns") { process.owns("n") }
        server.kill()
        try await eventually("it owns nothing") { !process.owns("n") }
        async let after = process.nextEpoch(for: "x")
        try server.start()
        #expect(try await after > before)
        #expect(try await process.configuration() == CentralConfiguration(bytes: [1], version: version))
        try await eventually("it owns again") { process.owns("n") && process.status.isReady }
        await processes.closeAll()
    }

    /// One process is cut off until the servers end its session, while the other goes on: as after a long pause, or on a split network.
    @Test func whoIsCutOffStopsInTimeAndComesBackWithAllItHad() async throws {
        let server = try await ZooKeeperServer.started()
        let proxy = try TCPProxy(to: server.clientPort)
        defer { proxy.stop() }
        let folder = "/split"
        let far = Processes("127.0.0.1:\(proxy.port)", folder: folder)
        let near = Processes(server.address, folder: folder)
        let (a, b) = (try far.open("a"), try near.open("b"))
        let instance = ServiceInstance(name: "a", role: "collect", address: "h:1", version: "1")
        a.register(instance)
        a.campaign(for: "x")
        try await eventually("a leads and is listed, both own") {
            let instances = try await b.instances()
            return a.isLeader(of: "x") && instances == [instance] && ownsAll(a, b)
        }
        b.campaign(for: "x")
        let session = try await a.view.session(until: .now + .seconds(5), place: "")
        let watch = OwnershipWatch([a, b], names: names(60))
        proxy.freeze(true)
        let began = ContinuousClock.now
        try await eventually("a stops") { names(60).allSatisfy { !a.owns($0) } && !a.isLeader(of: "x") }
        #expect(began.duration(to: .now) < Processes.timeout)
        try await eventually("b has all and leads") { names(60).allSatisfy { b.owns($0) } && b.isLeader(of: "x") }
        #expect(try await b.instances().isEmpty)
        proxy.freeze(false)
        try await eventually("a is back") {
            let instances = try await b.instances()
            return ownsAll(a, b) && b.status.members == ["a", "b"] && instances == [instance] && a.status.isReady
        }
        #expect(b.isLeader(of: "x") && !a.isLeader(of: "x"), "the leader stays")
        #expect(try await a.view.session(until: .now + .seconds(5), place: "").token != session.token)
        #expect(watch.stop() == [])
        #expect(far.registry.render().contains("almanac_coordination_session_expirations_total 1"))
        await far.closeAll()
        await near.closeAll()
    }

    /// Each process has a wire of its own, frozen at random for up to one and a half session timeouts.
    @Test(arguments: [UInt64(5)]) func noNameHasTwoOwnersOnBrokenWires(seed: UInt64) async throws {
        let server = try await ZooKeeperServer.started()
        var random = SplitMix64(seed: seed)
        let wires = try (0..<3).map { _ in try TCPProxy(to: server.clientPort) }
        let installations = wires.map { Processes("127.0.0.1:\($0.port)", folder: "/wires") }
        let all = try installations.enumerated().map { try $1.open("m\($0)") }
        try await eventually("all own their part") { ownsAll(all[0], all[1], all[2]) }
        let watch = OwnershipWatch(all, names: names(12))
        let end = ContinuousClock.now + .seconds(9)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for wire in wires {
                let seed = random.next()
                group.addTask {
                    var random = SplitMix64(seed: seed)
                    while ContinuousClock.now < end {
                        wire.freeze(true)
                        try await Task.sleep(for: .milliseconds(Int.random(in: 50...3_000, using: &random)))
                        wire.freeze(false)
                        try await Task.sleep(for: .milliseconds(Int.random(in: 100...2_000, using: &random)))
                    }
                }
            }
            try await group.waitForAll()
        }
        try await eventually("all own their part again") { ownsAll(all[0], all[1], all[2]) }
        #expect(watch.stop() == [], "seed \(seed)")
        for installation in installations { await installation.closeAll() }
        for wire in wires { wire.stop() }
    }

    @Test func nodesThatSomeoneRemovesAreMadeAgain() async throws {
        let server = try await ZooKeeperServer.started()
        let processes = Processes(server.address)
        let a = try processes.open("a")
        a.campaign(for: "x")
        try await eventually("it owns and leads") { a.owns("n") && a.isLeader(of: "x") }
        let session = try await a.view.session(until: .now + .seconds(5), place: "")
        for folder in [session.paths.group("collect"), session.paths.election("x")] {
            for node in try await session.handle.children(folder) { try await session.handle.delete("\(folder)/\(node)") }
        }
        try await eventually("all is there again") {
            let members = try await session.handle.children(session.paths.group("collect"))
            let candidates = try await session.handle.children(session.paths.election("x"))
            return members.count == 1 && candidates.count == 1 && a.owns("n") && a.isLeader(of: "x")
        }
        #expect(processes.log.text.contains("is gone; joining again"))
        await processes.closeAll()
    }

    @Test func ofTwoProcessesWithOneNameTheYoungerWaits() async throws {
        let server = try await ZooKeeperServer.started()
        let processes = Processes(server.address)
        let first = try processes.open("twin")
        try await eventually("it owns") { first.owns("n") }
        let second = try processes.open("twin")
        try await eventually("it is warned of") { processes.log.text.contains("two processes call themselves twin") }
        #expect(names(60).allSatisfy { first.owns($0) && !second.owns($0) })
        await first.close()
        try await eventually("the other has all") { names(60).allSatisfy { second.owns($0) } }
        await processes.closeAll()
    }

    @Test func whoDividesNoWorkOwnsNothingButCounts() async throws {
        let server = try await ZooKeeperServer.started()
        let processes = Processes(server.address)
        let (collector, store) = (try processes.open("a"), try processes.open("b", group: nil))
        store.campaign(for: "retention")
        try await eventually("one owns all, the other leads") { ownsAll(collector) && store.isLeader(of: "retention") }
        #expect(names(60).allSatisfy { !store.owns($0) } && store.status.isReady && collector.status.members == ["a"])
        await processes.closeAll()
    }

    /// Processes come, leave and come back, while each name is looked at all the time.
    @Test(arguments: [UInt64(11)]) func noNameHasTwoOwnersWhileProcessesComeAndGo(seed: UInt64) async throws {
        let server = try await ZooKeeperServer.started()
        let processes = Processes(server.address)
        var random = SplitMix64(seed: seed)
        var present: [ZooKeeperCoordinator] = []
        var all: [ZooKeeperCoordinator] = []
        var watches: [OwnershipWatch] = []
        for round in 0..<8 {
            if present.count > 2 || (present.count > 1 && Bool.random(using: &random)) {
                await present.remove(at: Int.random(in: 0..<present.count, using: &random)).close()
            }
            let made = try processes.open("m\(round % 3)")
            present.append(made)
            all.append(made)
            watches.append(OwnershipWatch(all))
            let now = present
            try await eventually("round \(round), seed \(seed): every name has an owner") {
                names(60).allSatisfy { name in now.filter { $0.owns(name) }.count == 1 } && made.status.holdsLease
            }
        }
        #expect(watches.flatMap { $0.stop() } == [], "seed \(seed)")
        await processes.closeAll()
    }

    // MARK: Credentials

    @Test func credentialsProtectAllAndAreNeverPrinted() async throws {
        let server = try await ZooKeeperServer.started()
        let right = Processes(server.address, folder: "/guarded/deep", credentials: try ZooKeeperCredentials("almanac:s3cret-right"))
        let (a, b) = (try right.open("a"), try right.open("b"))
        #expect(try await a.nextEpoch(for: "x") == 1)
        #expect(try await b.nextEpoch(for: "x") == 2)
        try await eventually("both own") { ownsAll(a, b) }
        for credentials in [nil, try ZooKeeperCredentials("almanac:s3cret-wrong")] {
            let wrong = Processes(server.address, folder: "/guarded/deep", credentials: credentials)
            let stranger = try wrong.open("c")
            let error = await #expect(throws: CoordinationError.self) { try await stranger.nextEpoch(for: "x") }
            #expect(error?.code == .refused)
            #expect(error?.description.contains("credentials") == true, "\(error?.description ?? "")")
            guard case .refused = stranger.status.connection else {
                Issue.record("state is \(stranger.status.connection)")
                continue
            }
            #expect(names(60).allSatisfy { !stranger.owns($0) })
            await wrong.closeAll()
            #expect(!wrong.log.text.contains("s3cret") && wrong.log.text.contains("credentials"))
            #expect(!"\(error.map { "\($0)" } ?? "")".contains("s3cret"))
        }
        #expect(ownsAll(a, b))
        await right.closeAll()
        #expect(!right.log.text.contains("s3cret"))
    }

    @Test func withoutAFolderTheRootIsUsed() async throws {
        let server = try await ZooKeeperServer.started()
        let processes = Processes(server.address, folder: "")
        let a = try processes.open("a")
        #expect(try await a.nextEpoch(for: "x") == 1)
        await processes.closeAll()
    }
}
