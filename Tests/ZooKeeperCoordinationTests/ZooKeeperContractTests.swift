import Coordination
import CoordinationContract
import TestSupport
import Testing

@testable import ZooKeeperCoordination

private struct ZooKeeperHarness: CoordinatorHarness {
    let processes: Processes
    var isShared: Bool { true }

    func open(_ index: Int, of count: Int) async throws -> any CoordinationService { try processes.open("process/\(index)") }
}

@Suite(.enabled(if: ZooKeeperServer.isInstalled), .serialized, OneZooKeeper()) struct ZooKeeperContractTests {
    @Test(arguments: CoordinatorContract.cases) func contract(_ test: CoordinatorContract.Case) async throws {
        let processes = Processes(try #require(OneZooKeeper.server).address)
        do {
            try await test.run(ZooKeeperHarness(processes: processes))
        } catch {
            await processes.closeAll()
            throw error
        }
        await processes.closeAll()
    }
}
