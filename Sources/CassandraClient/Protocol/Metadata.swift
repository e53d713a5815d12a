import NIOCore

/// One column of a result, or one bind marker.
package struct CQLColumn: Sendable, Equatable {
    package var keyspace: String
    package var table: String
    package var name: String
    package var type: CQLType
}

/// What a result says about its columns.
struct ResultMetadata: Sendable, Equatable {
    var columnCount = 0
    /// Nil where the request asked to leave it out.
    var columns: [CQLColumn]?
    var pagingState: [UInt8]?
    /// The columns are others than those of the statement when it was prepared (v5).
    var newID: [UInt8]?

    private static let globalTable: Int32 = 0x01
    private static let hasMorePages: Int32 = 0x02
    private static let noMetadata: Int32 = 0x04
    private static let isChanged: Int32 = 0x08

    static func read(_ reader: inout WireReader) throws(MalformedMessage) -> ResultMetadata {
        let flags = try reader.int()
        // Columns that are described take bytes; others do not.
        var metadata = ResultMetadata()
        let count = try reader.int()
        guard (0...65_535).contains(count) else { throw MalformedMessage("\(count) columns") }
        metadata.columnCount = Int(count)
        if flags & hasMorePages != 0 { metadata.pagingState = try reader.bytes().map { Array($0.readableBytesView) } }
        if flags & isChanged != 0 { metadata.newID = try reader.shortBytes() }
        if flags & noMetadata == 0 {
            metadata.columns = try columns(&reader, count: Int(count), isGlobal: flags & globalTable != 0)
        }
        return metadata
    }

    static func columns(_ reader: inout WireReader, count: Int, isGlobal: Bool) throws(MalformedMessage) -> [CQLColumn] {
        guard count <= reader.remaining / 4 else { throw MalformedMessage("\(count) columns in \(reader.remaining) bytes") }
        var keyspace = ""
        var table = ""
        if isGlobal {
            keyspace = try reader.string()
            table = try reader.string()
        }
        var columns: [CQLColumn] = []
        columns.reserveCapacity(count)
        for _ in 0..<count {
            if !isGlobal {
                keyspace = try reader.string()
                table = try reader.string()
            }
            columns.append(CQLColumn(keyspace: keyspace, table: table, name: try reader.string(), type: try .read(&reader)))
        }
        return columns
    }
}

/// What a node answers to PREPARE.
struct PreparedResult: Sendable, Equatable {
    var id: [UInt8]
    /// v5
    var resultMetadataID: [UInt8]?
    var markers: [CQLColumn]
    /// Which markers make up the partition key, in its order; empty where they do not give all of it.
    var partitionKey: [UInt16]
    var result: ResultMetadata

    static func read(_ reader: inout WireReader, _ version: ProtocolVersion) throws(MalformedMessage) -> PreparedResult {
        let id = try reader.shortBytes()
        let resultID = version >= .v5 ? try reader.shortBytes() : nil
        let flags = try reader.int()
        let count = try reader.int()
        guard (0...65_535).contains(count) else { throw MalformedMessage("\(count) bind markers") }
        var key: [UInt16] = []
        for _ in 0..<(try reader.count(of: 2)) { key.append(try reader.short()) }
        guard key.allSatisfy({ $0 < count }) else { throw MalformedMessage("a partition key of markers that do not exist") }
        let markers =
            count == 0 && flags & 0x01 == 0 ? [] : try ResultMetadata.columns(&reader, count: Int(count), isGlobal: flags & 0x01 != 0)
        return PreparedResult(
            id: id, resultMetadataID: resultID, markers: markers, partitionKey: key, result: try ResultMetadata.read(&reader))
    }
}
