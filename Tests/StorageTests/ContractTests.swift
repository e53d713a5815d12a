import Foundation
import Storage
import StorageContract
import TestSupport
import Testing

struct SQLiteBackend: StoreBackend {
    let directory: TemporaryDirectory
    var adjust: @Sendable (inout SQLiteStoreOptions) -> Void = { _ in }

    func open() async throws -> any ResultStore {
        var options = SQLiteStoreOptions(path: directory.file("data/almanac.db"))
        adjust(&options)
        return try SQLiteStore(options)
    }
}

private struct ModelBackend: StoreBackend {
    let store = ModelStore()
    func open() async throws -> any ResultStore { store }
}

@Suite struct ContractTests {
    @Test(arguments: ResultStoreContract.checks) func sqlite(_ check: ContractCheck) async throws {
        try await check.run(SQLiteBackend(directory: try TemporaryDirectory()))
    }

    /// Small steps and a memory for two series: the same contract.
    @Test(arguments: ResultStoreContract.checks) func sqliteInSmallSteps(_ check: ContractCheck) async throws {
        let backend = SQLiteBackend(directory: try TemporaryDirectory()) {
            $0.seriesCacheLimit = 2
            $0.retentionStep = 1
            $0.maximumReaders = 1
        }
        try await check.run(backend)
    }

    /// The model is held to the contract too, but for what only a real store does.
    @Test(
        arguments: ResultStoreContract.writing.filter { !$0.name.contains("finite") } + ResultStoreContract.reading
            + ResultStoreContract.listing + ResultStoreContract.anomalyChecks + ResultStoreContract.trafficChecks)
    func model(_ check: ContractCheck) async throws {
        try await check.run(ModelBackend())
    }
}
