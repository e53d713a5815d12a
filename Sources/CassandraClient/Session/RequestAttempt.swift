import Logging
import Telemetry

/// One attempt at a request, on one connection. Throws what `RetryPolicy` decides on.
struct RequestAttempt: Sendable {
    enum Work: Sendable {
        case prepare(String)
        case query(String, BoundValues)
        case execute(PreparedStatement, BoundValues)
        case batch(Batch)
    }

    enum Outcome: Sendable {
        case done
        case rows(Rows)
        case prepared(PreparedResult, NodePool)

        var rows: Rows { if case .rows(let rows) = self { rows } else { .empty } }
    }

    let options: RequestOptions
    /// For what the request's own options leave open.
    let defaults: CassandraOptions
    let metrics: CassandraMetrics
    let logger: Logger
    let pool: NodePool
    let connection: Connection
    /// Of `Clock`.
    let deadline: Int64
    /// Nodes that need not agree on a schema that was changed.
    let isDown: @Sendable (Node) -> Bool

    func run(_ work: Work) async throws(CassandraError) -> Outcome {
        var unprepared = 0
        while true {
            metrics.requests.add()
            do throws(CassandraError) {
                switch work {
                case .prepare(let text):
                    return .prepared(try await pool.prepare(text, on: connection, deadline: deadline), pool)
                case .query(let text, let values):
                    let response = try await connection.send(.query(text, parameters(values)), deadline: deadline)
                    return try await finish(response)
                case .execute(let statement, let values):
                    return try await execute(statement, values)
                case .batch(let batch):
                    return try await finish(try await connection.send(try await request(batch), deadline: deadline))
                }
            } catch {
                // The node has forgotten the statement, as after a start: it was not carried out.
                guard case .unprepared(let id)? = error.serverError?.detail, unprepared < 3 else { throw error }
                unprepared += 1
                pool.forget(id: id)
                metrics.retried("unprepared")
            }
        }
    }

    private func execute(_ statement: PreparedStatement, _ values: BoundValues) async throws(CassandraError) -> Outcome {
        var known = try await pool.statement(statement.number, statement.text, on: connection, deadline: deadline)
        var parameters = parameters(values)
        // Only where the node tells when the columns have changed.
        parameters.skipsMetadata = known.metadataID != nil && !known.columns.isEmpty
        let request = Request.execute(id: known.id, metadataID: known.metadataID, parameters)
        let response = try await connection.send(request, deadline: deadline)
        note(response)
        let result = try ResultMessage.checked(response, columns: known.columns.isEmpty ? nil : known.columns)
        guard case .rows(let rows, let newID) = result else { return .done }
        if let newID {
            known.metadataID = newID
            known.columns = rows.columns
            pool.remember(statement.number, known)
        }
        return .rows(rows)
    }

    private func request(_ batch: Batch) async throws(CassandraError) -> Request {
        var items: [BatchItem] = []
        items.reserveCapacity(batch.count)
        for item in batch.items {
            let known = try await pool.statement(item.statement.number, item.statement.text, on: connection, deadline: deadline)
            items.append(BatchItem(statement: .prepared(known.id), values: item.values))
        }
        let parameters = BatchParameters(
            consistency: options.consistency ?? defaults.consistency, serialConsistency: options.serialConsistency,
            timestamp: options.timestamp, nowInSeconds: options.nowInSeconds)
        return .batch(batch.kind, items, parameters)
    }

    private func parameters(_ values: BoundValues) -> QueryParameters {
        var parameters = QueryParameters()
        parameters.consistency = options.consistency ?? defaults.consistency
        parameters.serialConsistency = options.serialConsistency ?? defaults.serialConsistency
        parameters.values = values
        parameters.pageSize = options.pageSize ?? defaults.pageSize
        parameters.pagingState = options.pagingState
        parameters.timestamp = options.timestamp
        parameters.nowInSeconds = options.nowInSeconds
        return parameters
    }

    private func note(_ response: Response) {
        if response.warnings.isEmpty { return }
        metrics.warnings.add(response.warnings.count)
        for warning in response.warnings { logger.debug("Cassandra warns: \(warning)") }
    }

    private func finish(_ response: Response) async throws(CassandraError) -> Outcome {
        note(response)
        switch try ResultMessage.checked(response) {
        case .rows(let rows, _): return .rows(rows)
        case .schemaChange:
            let reader = ClusterReader(connection: connection, options: defaults, isDown: isDown)
            if try await !reader.waitForSchemaAgreement() { logger.warning("the nodes of Cassandra do not agree on the schema yet") }
            return .done
        default: return .done
        }
    }
}
