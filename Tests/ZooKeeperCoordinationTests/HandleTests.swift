import Synchronization
import TestSupport
import Testing

@testable import ZooKeeperCoordination

@Suite(.enabled(if: ZooKeeperServer.isInstalled), .serialized, OneZooKeeper()) struct ZooKeeperHandleTests {
    private final class Heard: Sendable {
        private let state = Mutex((isConnected: false, paths: [String](), isClosed: false, late: 0))

        func receive(_ event: ZooKeeperHandle.Event) {
            state.withLock { state in
                if state.isClosed { state.late += 1 }
                switch event {
                case .session: state.isConnected = event.isConnected
                case .node(let path): state.paths.append(path)
                }
            }
        }

        func close() { state.withLock { $0.isClosed = true } }
        var late: Int { state.withLock { $0.late } }
        var paths: [String] { state.withLock { $0.paths } }
        var isConnected: Bool { state.withLock { $0.isConnected } }
    }

    private func connected(_ heard: Heard = Heard()) async throws -> ZooKeeperHandle {
        let server = try #require(OneZooKeeper.server)
        let handle = try await ZooKeeperHandle.open(
            hosts: server.address, timeout: .seconds(2), credentials: nil, receive: { heard.receive($0) })
        try await eventually("connected") { heard.isConnected }
        return handle
    }

    @Test func operations() async throws {
        let heard = Heard()
        let handle = try await connected(heard)
        let root = "/handle-\(UInt64.random(in: 0...UInt64.max))"
        try await handle.createFolders(root + "/a/b", restricted: false)
        try await handle.createFolders(root + "/a/b", restricted: false)
        #expect(try await handle.children(root) == ["a"])
        #expect(try await !handle.exists(root + "/x", watch: true))
        let path = try await handle.create(root + "/x", [0, 1, 255], .ephemeral, restricted: false)
        #expect(path == root + "/x")
        let content = try await handle.read(path, watch: true)
        #expect(content.bytes == [0, 1, 255] && content.version == 0)
        #expect(try await handle.write(path, [], version: 0) == 1)
        #expect(try await handle.read(path).bytes.isEmpty)
        await #expect(throws: ZooKeeperFailure(code: ZooKeeperFailure.badVersion.code, operation: "write \(path)")) {
            try await handle.write(path, [1], version: 0)
        }
        try await eventually("both watches fire") { heard.paths == [path, path] }
        let first = try await handle.create(root + "/n-", [], .ephemeralSequential, restricted: false)
        let second = try await handle.create(root + "/n-", [], .ephemeralSequential, restricted: false)
        #expect(first < second && second.hasPrefix(root + "/n-"))
        try await handle.sync(root)
        try await handle.delete(path)
        try await handle.delete(path)
        #expect(try await !handle.exists(path))
        await handle.close()
    }

    @Test func callsThatAreOutstandingWhileItClosesEndOnce() async throws {
        let server = try #require(OneZooKeeper.server)
        let heard = Heard()
        let handle = try await connected(heard)
        server.pause()
        let ends = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    do {
                        _ = try await handle.children("/", watch: true)
                        return true
                    } catch {
                        return error is ZooKeeperFailure
                    }
                }
            }
            group.addTask {
                await handle.close()
                heard.close()
                server.resume()
                return true
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(ends == 201)
        let failure = await #expect(throws: ZooKeeperFailure.self) { try await handle.children("/") }
        #expect(failure?.endsSession == true)
        await handle.close()
        let other = try await connected()
        try await other.createFolders("/late", restricted: false)
        await other.close()
        #expect(heard.late == 0, "an event came after the end")
    }

    @Test func openingAndClosingInAnyOrderLeavesNothing() async throws {
        let server = try #require(OneZooKeeper.server)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for i in 0..<20 {
                group.addTask {
                    let handle = try await ZooKeeperHandle.open(
                        hosts: server.address, timeout: .seconds(2), credentials: nil, receive: { _ in })
                    // Some are closed before they are connected, some by their end.
                    if i % 3 == 0 { _ = try? await handle.exists("/") }
                    if i % 3 != 1 { await handle.close() }
                }
            }
            try await group.waitForAll()
        }
        try await eventually("the server has no session left") { server.sessionCount == 0 }
    }
}
