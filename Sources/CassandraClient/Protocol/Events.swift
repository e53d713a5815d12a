/// What the cluster tells whoever registered for it.
package enum ClusterEvent: Sendable, Equatable {
    case nodeAdded(NodeAddress)
    case nodeRemoved(NodeAddress)
    case nodeMoved(NodeAddress)
    case nodeUp(NodeAddress)
    case nodeDown(NodeAddress)
    case schemaChanged(SchemaChange)
    /// Of a kind that newer servers may know.
    case other(String)

    static func read(_ reader: inout WireReader) throws(MalformedMessage) -> ClusterEvent {
        let type = try reader.string()
        switch type {
        case "TOPOLOGY_CHANGE", "STATUS_CHANGE":
            let change = try reader.string()
            let address = try reader.inet()
            switch change {
            case "NEW_NODE": return .nodeAdded(address)
            case "REMOVED_NODE": return .nodeRemoved(address)
            case "MOVED_NODE": return .nodeMoved(address)
            case "UP": return .nodeUp(address)
            case "DOWN": return .nodeDown(address)
            default: return .other("\(type) \(change)")
            }
        case "SCHEMA_CHANGE": return .schemaChanged(try SchemaChange.read(&reader))
        default: return .other(type)
        }
    }
}

/// Something was created, updated or dropped.
package struct SchemaChange: Sendable, Equatable {
    package var change: String
    /// KEYSPACE, TABLE, TYPE, FUNCTION or AGGREGATE.
    package var target: String
    package var keyspace: String
    /// Empty for a keyspace.
    package var name: String
    package var arguments: [String]

    static func read(_ reader: inout WireReader) throws(MalformedMessage) -> SchemaChange {
        let change = try reader.string()
        let target = try reader.string()
        let keyspace = try reader.string()
        let name = target == "KEYSPACE" ? "" : try reader.string()
        let hasArguments = target == "FUNCTION" || target == "AGGREGATE"
        return SchemaChange(
            change: change, target: target, keyspace: keyspace, name: name, arguments: hasArguments ? try reader.stringList() : [])
    }
}
