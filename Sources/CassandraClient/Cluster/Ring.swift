/// One node as the cluster describes it.
package struct Node: Sendable, Equatable {
    package var id: CQLUUID?
    package var address: NodeAddress
    package var datacenter: String
    package var rack: String
    package var release: String
    package var schemaVersion: CQLUUID?
    package var tokens: [Token]
}

/// How a keyspace places its replicas.
package enum Replication: Sendable, Equatable {
    case simple(Int)
    case networkTopology([String: Int])
    /// Kept by each node for itself, on every node, or in a way not known here: any node will do.
    case anywhere

    /// From the column `replication` of `system_schema.keyspaces`.
    init(_ options: [String: String]) {
        let name = (options["class"] ?? "").split(separator: ".").last ?? ""
        // "3/1" is three replicas, one of them transient.
        func factor(_ text: String?) -> Int? { text.flatMap { Int($0.prefix { $0 != "/" }) } }
        switch name {
        case "SimpleStrategy": self = .simple(max(1, factor(options["replication_factor"]) ?? 1))
        case "NetworkTopologyStrategy":
            var factors: [String: Int] = [:]
            for (key, value) in options where key != "class" { factors[key] = factor(value) }
            self = .networkTopology(factors)
        default: self = .anywhere
        }
    }
}

/// All tokens in order, and whose they are.
struct Ring: Sendable {
    private let tokens: [Token]
    private let owners: [Int]

    init(_ nodes: [Node]) {
        let all = nodes.enumerated().flatMap { i, node in node.tokens.map { (token: $0, owner: i) } }.sorted { $0.token < $1.token }
        tokens = all.map(\.token)
        owners = all.map(\.owner)
    }

    var isEmpty: Bool { tokens.isEmpty }
    var count: Int { tokens.count }

    /// The range that a token belongs to: it ends at the first token that is not less. O(log n)
    func range(of token: Token) -> Int {
        var low = 0
        var high = tokens.count
        while low < high {
            let middle = (low + high) / 2
            if tokens[middle] < token { low = middle + 1 } else { high = middle }
        }
        return low == tokens.count ? 0 : low
    }

    /// Nodes that hold each range, the first one before the others.
    func replicas(_ replication: Replication, _ nodes: [Node]) -> [[Int]] {
        switch replication {
        case .anywhere: return []
        case .simple(let factor): return tokens.indices.map { simple($0, factor, nodes.count) }
        case .networkTopology(let factors):
            let racks = Dictionary(grouping: nodes, by: \.datacenter).mapValues { Set($0.map(\.rack)).count }
            let sizes = Dictionary(grouping: nodes, by: \.datacenter).mapValues(\.count)
            return tokens.indices.map { topology($0, factors, nodes, racks, sizes) }
        }
    }

    /// The owner of the range and the next other nodes clockwise.
    private func simple(_ range: Int, _ factor: Int, _ nodeCount: Int) -> [Int] {
        var found: [Int] = []
        for step in 0..<owners.count where found.count < min(factor, nodeCount) {
            let owner = owners[(range + step) % owners.count]
            if !found.contains(owner) { found.append(owner) }
        }
        return found
    }

    /// In each datacentre clockwise, a rack a second time only when each has one.
    private func topology(
        _ range: Int, _ factors: [String: Int], _ nodes: [Node], _ racks: [String: Int], _ sizes: [String: Int]
    ) -> [Int] {
        var found: [Int] = []
        var counts: [String: Int] = [:]
        var seenRacks: [String: Set<String>] = [:]
        var skipped: [String: [Int]] = [:]
        var missing = factors.reduce(0) { $0 + min($1.value, sizes[$1.key] ?? 0) }
        func take(_ owner: Int, _ datacenter: String) {
            found.append(owner)
            counts[datacenter, default: 0] += 1
            missing -= 1
        }
        for step in 0..<owners.count where missing > 0 {
            let owner = owners[(range + step) % owners.count]
            let node = nodes[owner]
            let wanted = min(factors[node.datacenter] ?? 0, sizes[node.datacenter] ?? 0)
            guard counts[node.datacenter, default: 0] < wanted, !found.contains(owner) else { continue }
            let seen = seenRacks[node.datacenter, default: []]
            if seen.count == racks[node.datacenter] {
                take(owner, node.datacenter)
            } else if seen.contains(node.rack) {
                if skipped[node.datacenter, default: []].contains(owner) == false { skipped[node.datacenter, default: []].append(owner) }
            } else {
                take(owner, node.datacenter)
                seenRacks[node.datacenter, default: []].insert(node.rack)
                if seen.count + 1 == racks[node.datacenter] {
                    for other in skipped[node.datacenter] ?? [] where counts[node.datacenter, default: 0] < wanted {
                        take(other, node.datacenter)
                    }
                }
            }
        }
        return found
    }
}

/// What is known of a cluster at one time.
package struct ClusterMap: Sendable {
    package let nodes: [Node]
    /// Requests go to nodes of this datacentre.
    package let localDatacenter: String
    private let ring: Ring
    private let replicas: [String: [[Int]]]

    init(_ nodes: [Node], keyspaces: [String: Replication], localDatacenter: String) {
        self.nodes = nodes
        self.localDatacenter = localDatacenter
        let ring = Ring(nodes)
        self.ring = ring
        // Keyspaces that are alike share one table.
        var tables: [(Replication, [[Int]])] = []
        replicas = keyspaces.mapValues { replication in
            if let known = tables.first(where: { $0.0 == replication }) { return known.1 }
            let table = ring.isEmpty ? [] : ring.replicas(replication, nodes)
            tables.append((replication, table))
            return table
        }
    }

    /// The nodes to ask, the best first: replicas in the local datacentre from `rotation` on, then the other local nodes, then, if
    /// allowed, those elsewhere.
    func plan(keyspace: String?, token: Token?, rotation: Int, usesRemote: Bool) -> [NodeAddress] {
        var order: [Int] = []
        func add(_ candidates: [Int], from start: Int) {
            for i in candidates.indices {
                let node = candidates[(start + i) % candidates.count]
                if !order.contains(node) { order.append(node) }
            }
        }
        let turn = Int(UInt(bitPattern: rotation) & 0xFFFF)
        let isLocal = { (i: Int) in nodes[i].datacenter == localDatacenter }
        if let keyspace, let token, let table = replicas[keyspace], !table.isEmpty {
            add(table[ring.range(of: token)].filter(isLocal), from: turn)
        }
        add(nodes.indices.filter(isLocal), from: turn)
        if usesRemote { add(nodes.indices.filter { !isLocal($0) }, from: turn) }
        return order.map { nodes[$0].address }
    }
}
