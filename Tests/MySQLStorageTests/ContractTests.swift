import Storage
import StorageContract
import TestSupport
import Testing

@testable import MySQLStorage

private let allChecks: [ContractCheck] = {
    let checks = ResultStoreContract.checks
    let names = Set(checks.map(\.name))
    return checks + ResultStoreContract.anomalyChecks.filter { !names.contains($0.name) }
}()

@Suite(.needsMariaDB, .mariaDB) struct MySQLContractTests {
    @Test(arguments: allChecks) func mariaDB(_ check: ContractCheck) async throws {
        try await check.run(MySQLBackend(MySQLOptions(try MariaDBTrait.current())))
    }

    /// As MySQL takes rows, in small steps, over the socket, one connection for each use: the same contract.
    @Test(arguments: allChecks) func withoutArrays(_ check: ContractCheck) async throws {
        let server = try MariaDBTrait.current()
        var options = MySQLOptions(server)
        options.usesArrayBinding = false
        options.socket = server.socket
        options.arrayRows = 300
        options.retentionStep = 2
        options.seriesCacheLimit = 2
        options.setPoolSize(2)
        try await check.run(MySQLBackend(options))
    }
}
