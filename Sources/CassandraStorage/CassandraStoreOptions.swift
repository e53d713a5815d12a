import CassandraClient
import Storage

/// Where results rest in a Cassandra cluster, and how.
package struct CassandraStoreOptions: Sendable {
    package var client: CassandraOptions
    /// Letters, digits and `_`, beginning with a letter, at most 48. Lower case.
    package var keyspace = "almanac"
    package var replication = CassandraReplication.simple(factor: 1)
    /// Whether the commit log is written. Without it a node that is killed loses what it acknowledged.
    package var durableWrites = true
    /// How long rows live: counted from when they are written, up to the end of that day (UTC).
    package var retention = StoreRetention()
    /// What the histories keep.
    package var history = HistoryPolicy()
    /// Requests of one call that are under way at the same time.
    package var concurrency = 128
    /// Rows of one partition that go in one request, and their bytes.
    package var batchRows = 100
    package var batchBytes = 40_000
    /// Series that are remembered as written, about 60 bytes each.
    package var seriesCacheLimit = 200_000

    package init(client: CassandraOptions) { self.client = client }

    /// Throws `StorageError` with what is wrong.
    package func check() throws(StorageError) {
        do throws(CassandraError) { try client.check() } catch { throw StorageError(.usage, error.message) }
        if let fault = CassandraStoreOptions.fault(inName: keyspace) { throw StorageError(.usage, fault) }
        switch replication {
        case .simple(let factor):
            if !(1...100).contains(factor) {
                throw StorageError(.usage, "a replication factor of \(factor): a number from 1 to 100 is needed")
            }
        case .networkTopology(let factors):
            if factors.isEmpty { throw StorageError(.usage, "NetworkTopologyStrategy needs a factor for at least one datacentre") }
            for (name, factor) in factors where !(0...100).contains(factor) || name.isEmpty || name.contains("'") {
                throw StorageError(
                    .usage, "the datacentre '\(name)' with factor \(factor): a name without ' and a number from 0 to 100 are needed")
            }
        }
        if concurrency < 1 || batchRows < 1 || batchBytes < 1 { throw StorageError(.usage, "concurrency and batches must be at least 1") }
    }

    static func fault(inName name: String) -> String? {
        let isPlain = name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
        let isFirst = name.utf8.first.map { (0x61...0x7A).contains($0) } ?? false
        if isPlain, isFirst, name.utf8.count <= 48, !name.hasPrefix("system") { return nil }
        return
            "the keyspace '\(name)': a name of lower-case letters, digits and _ is needed, at most 48, that begins with a letter and not with system"
    }
}

/// How the keyspace places its replicas.
package enum CassandraReplication: Sendable, Equatable {
    case simple(factor: Int)
    /// By datacentre.
    case networkTopology([String: Int])

    /// As CQL has it.
    var text: String {
        switch self {
        case .simple(let factor): return "{'class': 'SimpleStrategy', 'replication_factor': \(factor)}"
        case .networkTopology(let factors):
            let list = factors.sorted { $0.key < $1.key }.map { "'\($0.key)': \($0.value)" }
            return "{" + (["'class': 'NetworkTopologyStrategy'"] + list).joined(separator: ", ") + "}"
        }
    }
}
