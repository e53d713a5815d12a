import Coordination
import TestSupport
import Testing

@testable import ZooKeeperCoordination

/// Three servers: the leader killed, and two of three gone.
@Suite(.enabled(if: ZooKeeperServer.isInstalled), .serialized) struct ZooKeeperEnsembleTests {
    @Test func theLossOfTheLeaderAndOfTheMajority() async throws {
        let ensemble = try await ZooKeeperEnsemble.started()
        defer { ensemble.stop() }
        let processes = Processes(ensemble.address)
        let all = try ["a", "b", "c"].map { try processes.open($0, callTimeout: .seconds(30)) }
        all[0].campaign(for: "x")
        try await eventually("all own their part") { ownsAll(all[0], all[1], all[2]) && all[0].isLeader(of: "x") }
        let watch = OwnershipWatch(all)
        var epochs = [try await all[1].nextEpoch(for: "e")]

        let leader = try #require(ensemble.leader)
        leader.kill()
        epochs.append(try await all[2].nextEpoch(for: "e"))
        try await eventually("all own their part under the new leader") {
            ownsAll(all[0], all[1], all[2]) && all.allSatisfy { $0.status.isReady }
        }
        try leader.start()
        try await ensemble.awaitQuorum()
        epochs.append(try await all[0].nextEpoch(for: "e"))

        // Two of three stop answering; who is connected with the third hears of it only by its silence.
        let stopped = Array(ensemble.servers.filter { $0.mode != "leader" }.prefix(1)) + [try #require(ensemble.leader)]
        for server in stopped { server.pause() }
        let began = ContinuousClock.now
        try await eventually("nobody owns anything") {
            all.allSatisfy { process in names(60).allSatisfy { !process.owns($0) } } && !all[0].isLeader(of: "x")
        }
        #expect(began.duration(to: .now) < Processes.timeout)
        let hasty = try processes.open("d", callTimeout: .milliseconds(300))
        let error = await #expect(throws: CoordinationError.self) { try await hasty.nextEpoch(for: "e") }
        #expect(error?.code == .unavailable)
        await hasty.close()
        for server in stopped { server.resume() }
        try await eventually("all own their part again") { ownsAll(all[0], all[1], all[2]) && all[0].isLeader(of: "x") }
        epochs.append(try await all[1].nextEpoch(for: "e"))
        #expect(zip(epochs, epochs.dropFirst()).allSatisfy { $0 < $1 }, "\(epochs)")
        #expect(watch.stop() == [])
        await processes.closeAll()
    }
}
