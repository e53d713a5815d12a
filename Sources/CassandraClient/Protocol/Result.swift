import NIOCore

/// What a RESULT message holds.
enum ResultMessage: Sendable {
    case void
    case rows(Rows, newMetadataID: [UInt8]?)
    case keyspace(String)
    case prepared(PreparedResult)
    case schemaChange(SchemaChange)

    /// - Parameter columns: those of the prepared statement, for a result that leaves them out.
    static func read(_ response: Response, columns known: [CQLColumn]? = nil) throws(MalformedMessage) -> ResultMessage {
        var reader = WireReader(response.body)
        switch try reader.int() {
        case 1: return .void
        case 2:
            let metadata = try ResultMetadata.read(&reader)
            guard let columns = metadata.columns ?? known, columns.count == metadata.columnCount else {
                throw MalformedMessage("a result whose columns are not known")
            }
            let count = Int(try reader.int())
            let rows = try Rows(columns: columns, count: count, pagingState: metadata.pagingState, cells: reader.buffer)
            return .rows(rows, newMetadataID: metadata.newID)
        case 3: return .keyspace(try reader.string())
        case 4: return .prepared(try PreparedResult.read(&reader, response.version))
        case 5: return .schemaChange(try SchemaChange.read(&reader))
        case let kind: throw MalformedMessage("a result of the kind \(kind)")
        }
    }
}
