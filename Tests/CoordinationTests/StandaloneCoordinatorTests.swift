import Foundation
import Testing

@testable import Coordination

@Suite struct StandaloneCoordinatorTests {
    private func withDirectory(_ body: (String) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("almanac-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await body(directory)
    }

    @Test func epochsGrowAcrossRestarts() async throws {
        try await withDirectory { directory in
            var epochs: [Int64] = []
            for name in ["analyze", "analyze", "other"] {
                epochs.append(try await StandaloneCoordinator(directory: directory).nextEpoch(for: name))
            }
            #expect(epochs == [1, 2, 1])
        }
    }

    @Test func aDamagedEpochIsAnErrorThatSaysWhatToDo() async throws {
        try await withDirectory { directory in
            try "zebra".write(toFile: directory + "/epoch-analyze", atomically: true, encoding: .utf8)
            let error = await #expect(throws: StandaloneCoordinator.Failure.self) {
                try await StandaloneCoordinator(directory: directory).nextEpoch(for: "analyze")
            }
            #expect(error?.description.contains("epoch-analyze holds no number") == true)
        }
    }

    @Test func everyNameBelongsToExactlyOneShare() {
        let shares = (0..<3).map { StandaloneCoordinator(directory: "/nowhere", share: $0, of: 3) }
        for i in 0..<500 { #expect(shares.filter { $0.owns("http://host-\(i)/metrics") }.count == 1) }
        #expect(StandaloneCoordinator(directory: "/nowhere").owns("x"))
    }
}
