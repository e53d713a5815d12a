import NIOCore

/// What accompanies a query or a prepared statement.
package struct QueryParameters: Sendable {
    package var consistency = Consistency.localOne
    package var values = BoundValues()
    package var skipsMetadata = false
    package var pageSize: Int32?
    package var pagingState: [UInt8]?
    package var serialConsistency: Consistency?
    /// Microseconds
    package var timestamp: Int64?
    /// The time from which the node counts the life of what is written, seconds since 1970; only v5 has it.
    package var nowInSeconds: Int32?

    package init() {}

    func write(into out: inout ByteBuffer, _ version: ProtocolVersion) {
        var flags: UInt32 = 0
        if values.count > 0 { flags |= 0x01 }
        if skipsMetadata { flags |= 0x02 }
        if pageSize != nil { flags |= 0x04 }
        if pagingState != nil { flags |= 0x08 }
        if serialConsistency != nil { flags |= 0x10 }
        if timestamp != nil { flags |= 0x20 }
        let now = version >= .v5 ? nowInSeconds : nil
        if now != nil { flags |= 0x100 }
        out.writeInteger(consistency.rawValue)
        out.writeQueryFlags(flags, version)
        if values.count > 0 {
            out.writeInteger(UInt16(truncatingIfNeeded: values.count))
            out.writeBytes(values.bytes)
        }
        if let pageSize { out.writeInteger(pageSize) }
        if let pagingState { out.writeCQLBytes(pagingState) }
        if let serialConsistency { out.writeInteger(serialConsistency.rawValue) }
        if let timestamp { out.writeInteger(timestamp) }
        if let now { out.writeInteger(now) }
    }
}

/// What accompanies a batch.
struct BatchParameters: Sendable {
    var consistency = Consistency.localOne
    var serialConsistency: Consistency?
    var timestamp: Int64?
    /// As of `QueryParameters`.
    var nowInSeconds: Int32?

    func write(into out: inout ByteBuffer, _ version: ProtocolVersion) {
        let now = version >= .v5 ? nowInSeconds : nil
        out.writeInteger(consistency.rawValue)
        out.writeQueryFlags((serialConsistency == nil ? 0 : 0x10) | (timestamp == nil ? 0 : 0x20) | (now == nil ? 0 : 0x100), version)
        if let serialConsistency { out.writeInteger(serialConsistency.rawValue) }
        if let timestamp { out.writeInteger(timestamp) }
        if let now { out.writeInteger(now) }
    }
}

/// One statement of a batch as one node takes it.
struct BatchItem: Sendable {
    enum Statement: Sendable {
        case text(String)
        case prepared([UInt8])
    }

    var statement: Statement
    var values: BoundValues
}

/// A message to a node.
enum Request: Sendable {
    case options
    case startup([(String, String)])
    case authResponse([UInt8])
    case register([String])
    case query(String, QueryParameters)
    case prepare(String)
    /// The metadata's id is v5's.
    case execute(id: [UInt8], metadataID: [UInt8]?, QueryParameters)
    case batch(BatchKind, [BatchItem], BatchParameters)

    var opcode: Opcode {
        switch self {
        case .options: .options
        case .startup: .startup
        case .authResponse: .authResponse
        case .register: .register
        case .query: .query
        case .prepare: .prepare
        case .execute: .execute
        case .batch: .batch
        }
    }

    /// Adds the frame to `out`. Throws `usage` for what the protocol has no room for; then `out` is as it was.
    func write(into out: inout ByteBuffer, _ version: ProtocolVersion, stream: Int16) throws(CassandraError) {
        let start = out.writerIndex
        out.writeMultipleIntegers(version.rawValue, UInt8(0), stream, opcode.rawValue, UInt32(0))
        do throws(CassandraError) {
            try writeBody(into: &out, version)
            let length = out.writerIndex - start - FrameHeader.size
            guard length <= FrameHeader.maximumBody else {
                throw CassandraError(.usage, "a request of \(length) bytes, the protocol takes 256 MB")
            }
            out.setInteger(UInt32(length), at: start + 5)
        } catch {
            out.moveWriterIndex(to: start)
            throw error
        }
    }

    private func writeBody(into out: inout ByteBuffer, _ version: ProtocolVersion) throws(CassandraError) {
        switch self {
        case .options: break
        case .startup(let options):
            out.writeInteger(UInt16(options.count))
            for (key, value) in options {
                try out.writeCQLString(key)
                try out.writeCQLString(value)
            }
        case .authResponse(let token): out.writeCQLBytes(token)
        case .register(let types):
            out.writeInteger(UInt16(types.count))
            for type in types { try out.writeCQLString(type) }
        case .query(let text, let parameters):
            out.writeCQLLongString(text)
            try Request.check(parameters.values)
            parameters.write(into: &out, version)
        case .prepare(let text):
            out.writeCQLLongString(text)
            if version >= .v5 { out.writeInteger(UInt32(0)) }
        case .execute(let id, let metadataID, let parameters):
            try out.writeCQLShortBytes(id)
            if version >= .v5 { try out.writeCQLShortBytes(metadataID ?? []) }
            try Request.check(parameters.values)
            parameters.write(into: &out, version)
        case .batch(let kind, let items, let parameters):
            try Request.write(kind, items, into: &out)
            parameters.write(into: &out, version)
        }
    }

    private static func check(_ values: BoundValues) throws(CassandraError) {
        if values.count > 65_535 { throw CassandraError(.usage, "\(values.count) values for one statement") }
    }

    private static func write(_ kind: BatchKind, _ items: [BatchItem], into out: inout ByteBuffer) throws(CassandraError) {
        guard items.count <= 65_535 else { throw CassandraError(.usage, "a batch of \(items.count) statements, the protocol takes 65535") }
        out.writeMultipleIntegers(kind.rawValue, UInt16(items.count))
        for item in items {
            switch item.statement {
            case .text(let text):
                out.writeInteger(UInt8(0))
                out.writeCQLLongString(text)
            case .prepared(let id):
                out.writeInteger(UInt8(1))
                try out.writeCQLShortBytes(id)
            }
            try check(item.values)
            out.writeInteger(UInt16(item.values.count))
            out.writeBytes(item.values.bytes)
        }
    }
}

extension ByteBuffer {
    /// One byte in v4, four in v5.
    fileprivate mutating func writeQueryFlags(_ flags: UInt32, _ version: ProtocolVersion) {
        if version >= .v5 { writeInteger(flags) } else { writeInteger(UInt8(truncatingIfNeeded: flags)) }
    }
}

package enum BatchKind: UInt8, Sendable {
    /// All or nothing, at the cost of a log write.
    case logged = 0
    /// One partition in one request; atomic only within the partition.
    case unlogged = 1
    case counter = 2
}
