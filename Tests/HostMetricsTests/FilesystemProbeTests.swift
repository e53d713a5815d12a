import Foundation
import Synchronization
import Testing

@testable import HostMetrics

/// A network filesystem whose server does not answer until the test lets it.
private final class HungServer: Sendable {
    let asked = Mutex(0)
    let gate = DispatchSemaphore(value: 0)
    static let usage = FilesystemUsage(size: 100, free: 50, available: 40, files: 10, filesFree: 9)

    func ask(_ path: [UInt8]) -> FilesystemUsage? {
        if String(decoding: path, as: UTF8.self).hasSuffix("/net") {
            asked.withLock { $0 += 1 }
            gate.wait()
        }
        return HungServer.usage
    }
}

@Suite struct FilesystemProbeTests {
    private func mount(_ point: String, _ type: String) -> Mount {
        Mount(device: "d", mountPoint: point, path: Array(point.utf8), fileSystem: type, isReadOnly: false)
    }

    @Test func aHungServerCostsTheTimeLimitOnceAndOneThread() async throws {
        let server = HungServer()
        let probe = FilesystemProbe(timeLimit: 0.05) { server.ask($0) }
        let mounts = [mount("/", "ext4"), mount("/net", "nfs4"), mount("/fuse", "fuse.sshfs")]
        let clock = ContinuousClock()

        let first = clock.measure { #expect(probe.usage(of: mounts, rootfs: "/") == [HungServer.usage, nil, HungServer.usage]) }
        #expect(first < .seconds(5))
        for _ in 0..<20 { #expect(probe.usage(of: mounts, rootfs: "/")[1] == nil) }
        #expect(server.asked.withLock { $0 } == 1, "a server that hangs is asked by one thread")

        // The server answers: the stuck thread ends, and the next question gets its answer.
        for _ in 0..<1000 { server.gate.signal() }
        var usage: FilesystemUsage?
        for _ in 0..<500 where usage == nil {
            usage = probe.usage(of: mounts, rootfs: "/")[1]
            if usage == nil { try await Task.sleep(for: .milliseconds(10)) }
        }
        #expect(usage == HungServer.usage)
    }

    @Test func theTimeLimitIsForAllTogether() {
        let server = HungServer()
        let probe = FilesystemProbe(timeLimit: 0.3) { server.ask($0) }
        let mounts = (0..<20).map { mount("/\($0)/net", "nfs") }
        let elapsed = ContinuousClock().measure { #expect(probe.usage(of: mounts, rootfs: "/").allSatisfy { $0 == nil }) }
        #expect(elapsed < .seconds(4), "20 mounts one after the other would take 6 s")
        for _ in mounts { server.gate.signal() }
    }

    @Test func pagesAtTheSameTimeShareTheQuestion() async {
        let server = HungServer()
        let probe = FilesystemProbe(timeLimit: 60) { server.ask($0) }
        let mounts = [mount("/net", "nfs4")]
        let answers = await withTaskGroup(of: FilesystemUsage?.self) { group in
            for _ in 0..<3 {
                group.addTask { await offThePool { probe.usage(of: mounts, rootfs: "/")[0] } }
            }
            while server.asked.withLock({ $0 }) == 0 { await Task.yield() }
            for _ in 0..<3 { server.gate.signal() }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers == [HungServer.usage, HungServer.usage, HungServer.usage])
    }

    @Test func rootfsIsPutBeforeThePath() {
        let paths = Mutex<[String]>([])
        let probe = FilesystemProbe { path in
            paths.withLock { $0.append(String(decoding: path, as: UTF8.self)) }
            return nil
        }
        _ = probe.usage(of: [mount("/data", "ext4")], rootfs: "/host")
        _ = probe.usage(of: [mount("/data", "ext4")], rootfs: "/")
        #expect(paths.withLock { $0 } == ["/host/data", "/data"])
    }

    @Test func theKernelAnswers() throws {
        let usage = try #require(FilesystemUsage.ask(Array("/".utf8)))
        #expect(usage.size > 0 && usage.free <= usage.size && usage.available <= usage.free)
        #expect(FilesystemUsage.ask(Array("/no/such/folder".utf8)) == nil)
    }
}

/// Blocking work outside Swift's own pool of threads.
private func offThePool<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread { continuation.resume(returning: body()) }
    }
}
