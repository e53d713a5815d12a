/// A statement that nodes know by number. Each node prepares it when it first needs it, and again when it has forgotten it.
package final class PreparedStatement: Sendable {
    package let text: String
    /// The bind markers.
    package let markers: [CQLColumn]
    /// Which markers make up the partition key; empty where they do not give all of it.
    package let partitionKey: [UInt16]
    /// The session's own number.
    let number: Int

    init(_ text: String, number: Int, _ result: PreparedResult) {
        self.text = text
        self.number = number
        markers = result.markers
        partitionKey = result.partitionKey
    }

    package var keyspace: String? { markers.first?.keyspace }

    /// The place of a partition with these values on the ring; nil where they do not say it.
    package func token(_ values: BoundValues) -> Token? { values.routingKey(partitionKey).map { Token(key: $0) } }
}

/// What one node made of a statement.
struct NodeStatement: Sendable {
    var id: [UInt8]
    /// v5
    var metadataID: [UInt8]?
    var columns: [CQLColumn]

    init(_ result: PreparedResult) {
        id = result.id
        metadataID = result.resultMetadataID
        columns = result.result.columns ?? []
    }
}

/// How one request is to be treated; what is nil is as the session's options say.
package struct RequestOptions: Sendable {
    package var consistency: Consistency?
    package var serialConsistency: Consistency?
    /// Twice is as good as once: the request may be sent again when its outcome is unknown. Never for counters, lists appended to, nor
    /// conditions.
    package var isIdempotent = false
    package var pageSize: Int32?
    package var pagingState: [UInt8]?
    /// Microseconds; nil for the session's clock, in requests that write.
    package var timestamp: Int64?
    /// The time from which nodes count the life of what is written, seconds since 1970, so that what is written twice ends at one time;
    /// only version 5 has it.
    package var nowInSeconds: Int32?
    /// Milliseconds for all attempts together.
    package var timeout: Int64?
    /// Where a request goes whose statement does not say its partition.
    package var token: Token?
    package var keyspace: String?

    package init() {}

    package static let idempotent: RequestOptions = {
        var options = RequestOptions()
        options.isIdempotent = true
        return options
    }()
}

/// Several writes in one request.
package struct Batch: Sendable {
    package var kind: BatchKind
    fileprivate(set) var items: [(statement: PreparedStatement, values: BoundValues)] = []

    package init(_ kind: BatchKind) { self.kind = kind }

    package var count: Int { items.count }
    /// Bytes of the values.
    package var bytes: Int { items.reduce(0) { $0 + $1.values.size } }

    package mutating func add(_ statement: PreparedStatement, _ values: BoundValues) { items.append((statement, values)) }
}
