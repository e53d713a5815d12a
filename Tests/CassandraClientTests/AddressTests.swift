import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import CassandraClient
@testable import CassandraScript

/// Under which address a node is reached.
@Suite(.timeLimit(.minutes(1))) struct AddressTests {
    private func identity(_ host: String, _ port: Int, id: UInt64) -> ScriptedNode.Identity {
        ScriptedNode.Identity(host: host, port: port, id: id)
    }

    /// Two nodes that know each other, the first one under the address that it announces.
    private func pair(announced: String) async throws -> [ScriptedNode] {
        let first = try await startedNode()
        let port = first.address.port
        let second = ScriptedNode(identity("127.0.0.2", port, id: 2))
        try await second.start()
        let cluster = [identity(announced, port, id: 1), identity("127.0.0.2", port, id: 2)]
        for node in [first, second] { node.change { $0.cluster = cluster } }
        return [first, second]
    }

    private func expectConnections(_ contact: String, of nodes: [ScriptedNode], to addresses: [NodeAddress]) async throws {
        var options = sessionOptions(nodes[0])
        options.contactPoints = [NodeAddress(host: contact, port: nodes[0].address.port)]
        let session = try await CassandraSession.open(options)
        try await eventually("connected by \(contact)", within: 20) { session.connectedNodes == addresses }
        #expect(session.cluster?.nodes.count == addresses.count)
        await session.close()
    }

    /// The name may lead to the other one the next time.
    @Test func behindANameThereAreSeveralNodes() async throws {
        let nodes = try await pair(announced: "127.0.0.1")
        try await expectConnections("localhost", of: nodes, to: nodes.map(\.address))
        for node in nodes { await node.stop() }
    }

    /// As one in a container: 192.0.2.1 is nobody's.
    @Test func anAddressThatWasGivenCountsMoreThanTheAnnouncedOne() async throws {
        let nodes = try await pair(announced: "192.0.2.1")
        try await expectConnections("127.0.0.1", of: nodes, to: nodes.map(\.address))
        for node in nodes { await node.stop() }
    }

    @Test(arguments: ["127.0.0.1", "localhost"]) func aNodeAloneIsReachedAsItWasGiven(_ contact: String) async throws {
        for announced in ["192.0.2.1", "0.0.0.0"] {
            let node = try await startedNode()
            let cluster = [identity(announced, node.address.port, id: 1)]
            node.change { $0.cluster = cluster }
            try await expectConnections(contact, of: [node], to: [NodeAddress(host: contact, port: node.address.port)])
            await node.stop()
        }
    }

    /// The control connection was on it, under the old address.
    @Test func aNodeThatComesBackElsewhereIsFound() async throws {
        let nodes = try await pair(announced: "127.0.0.1")
        let session = try await CassandraSession.open(sessionOptions(nodes[0]))
        try await eventually("both", within: 20) { session.connectedNodes == nodes.map(\.address) }
        let moved = ScriptedNode(identity("127.0.0.3", nodes[0].address.port, id: 1))
        try await moved.start()
        let cluster = [moved, nodes[1]].map { node in node.identity.withLock { $0 } }
        for node in [moved, nodes[1]] { node.change { $0.cluster = cluster } }
        await nodes[0].stop()
        try await eventually("at its new address", within: 20) { session.connectedNodes == [nodes[1].address, moved.address] }
        await session.close()
        for node in [moved, nodes[1]] { await node.stop() }
    }

    /// The first address takes so long that the second one is tried too, and then it connects after all.
    @Test func ofSeveralAddressesTheOneThatConnectsIsTaken() async throws {
        let node = try await startedNode()
        let race = Race(to: try SocketAddress(ipAddress: node.address.host, port: node.address.port))
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).resolver(race)
            .protocolHandlers { [HeldConnect(race)] }
        let options = sessionOptions(node)
        let target = Connection.Target(
            address: NodeAddress(host: "two-addresses", port: 9042), connectTimeout: 10_000, tick: options.tick)
        let connection = try await Connection.open(target, options.settings(.v5), bootstrap)
        let response = try await connection.send(.query("SELECT 1", QueryParameters()), deadline: Clock.now() + 10_000)
        #expect(response.opcode == .result)
        try await eventually("the other socket is closed", within: 20) { race.isLoserGone.load(ordering: .relaxed) }
        connection.close()
        try await eventually("nothing is left", within: 20) { node.openConnections == 0 }
        await node.stop()
    }
}

/// A name with two addresses. A connection to the first one is begun when the second one is tried, which never comes about.
private final class Race: Resolver, @unchecked Sendable {
    // Set on the one event loop of both sockets only.
    var begin: (() -> Void)?
    let winner: SocketAddress
    let isLoserGone = Atomic(false)

    init(to winner: SocketAddress) { self.winner = winner }

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        MultiThreadedEventLoopGroup.singleton.any().makeCompletedFuture { try [winner, SocketAddress(ipAddress: "127.0.0.1", port: 1)] }
    }

    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        MultiThreadedEventLoopGroup.singleton.any().makeSucceededFuture([])
    }

    func cancelQueries() {}
}

private final class HeldConnect: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    private let race: Race
    private var isLoser = false
    private var promise: EventLoopPromise<Void>?

    init(_ race: Race) { self.race = race }

    func connect(context: ChannelHandlerContext, to address: SocketAddress, promise: EventLoopPromise<Void>?) {
        self.promise = promise
        if address == race.winner {
            race.begin = { context.connect(to: address, promise: promise) }
        } else {
            isLoser = true
            race.begin?()
            race.begin = nil
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        // Nothing where it is fulfilled already.
        promise?.fail(ChannelError.ioOnClosedChannel)
        if isLoser { race.isLoserGone.store(true, ordering: .relaxed) }
    }
}
