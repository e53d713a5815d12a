import Coordination
import CoordinationContract
import Foundation
import TestSupport
import Testing

/// One process by itself, or several with a share each and a directory each.
private struct StandaloneHarness: CoordinatorHarness {
    let directory: TemporaryDirectory
    var isShared: Bool { false }

    init() throws { directory = try TemporaryDirectory() }

    func open(_ index: Int, of count: Int) async throws -> any CoordinationService {
        let own = directory.file("\(index)")
        try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
        return StandaloneCoordinator(directory: own, share: index, of: count)
    }
}

@Suite struct StandaloneCoordinatorTests {
    @Test(arguments: CoordinatorContract.cases) func contract(_ test: CoordinatorContract.Case) async throws {
        try await test.run(try StandaloneHarness())
    }

    @Test func epochsGrowAcrossRestarts() async throws {
        let directory = try TemporaryDirectory()
        var epochs: [Int64] = []
        for name in ["analyze", "analyze", "other"] {
            epochs.append(try await StandaloneCoordinator(directory: directory.path).nextEpoch(for: name))
        }
        #expect(epochs == [1, 2, 1])
        #expect(directory.read("epoch-analyze") == "2\n")
    }

    @Test func aDamagedEpochIsAnErrorThatSaysWhatToDo() async throws {
        let directory = try TemporaryDirectory()
        try directory.write("zebra", to: "epoch-analyze")
        let error = await #expect(throws: CoordinationError.self) {
            try await StandaloneCoordinator(directory: directory.path).nextEpoch(for: "analyze")
        }
        #expect(error?.description.contains("epoch-analyze holds no number") == true)
    }

    @Test func aDamagedConfigurationIsAnError() async throws {
        let directory = try TemporaryDirectory()
        try directory.write("no version", to: "configuration")
        let error = await #expect(throws: CoordinationError.self) {
            try await StandaloneCoordinator(directory: directory.path).configuration()
        }
        #expect(error?.code == .invalid)
    }

    @Test func aMissingDirectoryIsAnErrorThatNamesIt() async throws {
        let error = await #expect(throws: CoordinationError.self) {
            try await StandaloneCoordinator(directory: "/nowhere/at/all").nextEpoch(for: "analyze")
        }
        #expect(error?.description.contains("/nowhere/at/all/epoch-analyze") == true)
    }

    @Test func everyNameBelongsToExactlyOneShare() {
        let shares = (0..<3).map { StandaloneCoordinator(directory: "/nowhere", share: $0, of: 3) }
        for i in 0..<500 { #expect(shares.filter { $0.owns("http://host-\(i)/metrics") }.count == 1) }
        #expect(StandaloneCoordinator(directory: "/nowhere").owns("x"))
    }
}
