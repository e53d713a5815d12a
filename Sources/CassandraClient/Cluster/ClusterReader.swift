/// Reads a node's tables about the cluster.
struct ClusterReader: Sendable {
    let connection: Connection
    let options: CassandraOptions
    /// Nodes that are known not to answer.
    var isDown: @Sendable (Node) -> Bool = { _ in false }

    private static let columns = "host_id, data_center, rack, release_version, schema_version, tokens"

    private func rows(_ text: String) async throws(CassandraError) -> Rows {
        var parameters = QueryParameters()
        parameters.consistency = .localOne
        let response = try await connection.send(.query(text, parameters), deadline: Clock.now() + options.attemptTimeout)
        guard case .rows(let rows, _) = try ResultMessage.checked(response) else {
            throw CassandraError(.protocolViolation, "\(connection.address) did not answer with rows")
        }
        return rows
    }

    /// The node asked comes first.
    func nodes() async throws(CassandraError) -> [Node] {
        let local = try await rows("SELECT \(ClusterReader.columns), rpc_address FROM system.local WHERE key = 'local'")
        // The port that was reached is right in any case; a node with TLS may have two and tells only one.
        let found = try nodes(local) { row throws(CassandraError) in
            NodeAddress(host: address(row, 6) ?? connection.address.host, port: connection.address.port)
        }
        guard var first = found.first else {
            throw CassandraError(.protocolViolation, "\(connection.address) says nothing about itself")
        }
        let own = first.id
        let others = try await peers().filter { $0.id != own || $0.id == nil }
        if countsAsReached(isAlone: others.isEmpty) { first.address = connection.address }
        return [first] + others
    }

    /// Whether the address by which the node was reached counts more than the one that it announces, which may be of a network that only
    /// nodes are in: where somebody gave just that address. A name may lead to any of several nodes, so it counts only where there is one.
    private func countsAsReached(isAlone: Bool) -> Bool {
        options.contactPoints.contains(connection.address) && (isAlone || connection.address.isLiteral)
    }

    private func peers() async throws(CassandraError) -> [Node] {
        let columns = ClusterReader.columns
        do throws(CassandraError) {
            let found = try await rows("SELECT \(columns), native_address, native_port FROM system.peers_v2")
            return try nodes(found) { row throws(CassandraError) in
                guard let host = address(row, 6), let port = try row.int32(7) else { return nil }
                return NodeAddress(host: host, port: Int(port))
            }
        } catch {
            // Before Cassandra 4.0 there is only the older table, in which all nodes have one port.
            guard error.serverError?.code == .invalid else { throw error }
            let found = try await rows("SELECT \(columns), rpc_address, peer FROM system.peers")
            return try nodes(found) { row throws(CassandraError) in
                (address(row, 6) ?? address(row, 7)).map { NodeAddress(host: $0, port: connection.address.port) }
            }
        }
    }

    /// Nil where the node gives none of use.
    private func address(_ row: RowReader, _ column: Int) -> String? {
        guard let bytes = row.blob(column), let address = IPAddress(bytes), !address.isUnspecified else { return nil }
        return address.description
    }

    /// Peers that are about to come or go have gaps in their rows: they are left out.
    private func nodes(
        _ rows: Rows, _ address: (RowReader) throws(CassandraError) -> NodeAddress?
    ) throws(CassandraError) -> [Node] {
        var nodes: [Node] = []
        var reader = rows.reader()
        while try reader.next() {
            guard let address = try address(reader), let datacenter = try reader.text(1), let rack = try reader.text(2) else { continue }
            var tokens: [Token] = []
            if rows.columns.count > 5, case .set(let texts) = try reader.value(5, rows.columns[5].type) {
                for case .text(let text) in texts { if let token = Token(text) { tokens.append(token) } }
            }
            nodes.append(
                Node(
                    id: try reader.uuid(0), address: address, datacenter: datacenter, rack: rack, release: try reader.text(3) ?? "",
                    schemaVersion: try reader.uuid(4), tokens: tokens))
        }
        return nodes
    }

    func keyspaces() async throws(CassandraError) -> [String: Replication] {
        let rows = try await rows("SELECT keyspace_name, replication FROM system_schema.keyspaces")
        var keyspaces: [String: Replication] = [:]
        for row in try rows.values() {
            guard row.count == 2, case .text(let name) = row[0], case .map(let entries) = row[1] else { continue }
            var options: [String: String] = [:]
            for entry in entries {
                if case (.text(let key), .text(let value)) = (entry.key, entry.value) { options[key] = value }
            }
            keyspaces[name] = Replication(options)
        }
        return keyspaces
    }

    /// Whether all nodes have the same schema. Of one that is down the others tell what it had before; it catches up when it is back.
    private func isSchemaAgreed() async throws(CassandraError) -> Bool {
        let asked = try await nodes().filter { !isDown($0) }
        return Set(asked.compactMap(\.schemaVersion)).count <= 1
    }

    /// Waits until all nodes that are not known to be down have the same schema; false when that takes too long.
    func waitForSchemaAgreement() async throws(CassandraError) -> Bool {
        let end = Clock.now() + options.schemaAgreementTimeout
        while true {
            if try await isSchemaAgreed() { return true }
            if Clock.now() >= end { return false }
            do { try await Task.sleep(for: .milliseconds(200)) } catch { throw CassandraError(.cancelled, "the task was cancelled") }
        }
    }
}
