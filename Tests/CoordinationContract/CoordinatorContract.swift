import Coordination
import Synchronization
import TestSupport
import Testing
import TimeSeries

/// A place where the processes of one installation coordinate.
package protocol CoordinatorHarness: Sendable {
    /// Opens process `index` of `count`. After `close` it can be opened again and finds what was there.
    func open(_ index: Int, of count: Int) async throws -> any CoordinationService
    /// Whether the processes know of each other; else each is by itself, with a fixed share of the work.
    var isShared: Bool { get }
}

/// What every implementation of `CoordinationService` has to do. Nothing here knows which one it is.
package enum CoordinatorContract {
    package struct Case: Sendable, CustomTestStringConvertible {
        package var name: String
        package var run: @Sendable (any CoordinatorHarness) async throws -> Void
        package var testDescription: String { name }
    }

    package static let cases: [Case] = [
        Case(name: "epochs grow, also after reopening", run: epochsGrow),
        Case(name: "epochs are per name, whatever the name", run: epochsPerName),
        Case(name: "no epoch is given out twice", run: epochsAreUnique),
        Case(name: "one process owns everything", run: oneOwnsAll),
        Case(name: "several processes divide the names", run: namesAreDivided),
        Case(name: "what a leaving process owned goes to the others", run: leavingHandsOver),
        Case(name: "one process leads", run: oneLeads),
        Case(name: "who resigns leads no more, and another does", run: resigning),
        Case(name: "instances are listed, changed and withdrawn", run: instancesAreListed),
        Case(name: "the instances of a closed process are gone", run: closedInstancesGo),
        Case(name: "a configuration is created, replaced and kept", run: configurationIsKept),
        Case(name: "a configuration of another version is not replaced", run: configurationConflicts),
        Case(name: "a watcher gets the configuration and its changes", run: configurationIsWatched),
        Case(name: "empty, binary and large configurations", run: oddConfigurations),
        Case(name: "events tell of leading and of the end", run: eventsAreTold),
        Case(name: "a closed process owns and leads nothing", run: closedOwnsNothing),
    ]

    /// Names like those of targets.
    package static func names(_ count: Int) -> [String] { (0..<count).map { "http://host-\($0):9100/metrics" } }

    /// Opens them, and waits until each is ready and names are divided among all.
    package static func openAll(_ count: Int, _ harness: any CoordinatorHarness) async throws -> [any CoordinationService] {
        var all: [any CoordinationService] = []
        for i in 0..<count { all.append(try await harness.open(i, of: count)) }
        let opened = all
        try await eventually("all are ready and own something") {
            opened.allSatisfy { process in process.status.isReady && names(64 * count).contains { process.owns($0) } }
        }
        return all
    }

    static func closeAll(_ all: [any CoordinationService]) async {
        for process in all { await process.close() }
    }

    // MARK: Epochs

    static func epochsGrow(_ harness: any CoordinatorHarness) async throws {
        var last: Int64 = 0
        for _ in 0..<3 {
            let process = try await harness.open(0, of: 1)
            for _ in 0..<3 {
                let epoch = try await process.nextEpoch(for: "analyze")
                #expect(epoch > last)
                last = epoch
            }
            await process.close()
        }
    }

    static func epochsPerName(_ harness: any CoordinatorHarness) async throws {
        let process = try await harness.open(0, of: 1)
        for name in ["a", "b", "with/slash", "with space", "é%2F", "..", "."] {
            #expect(try await process.nextEpoch(for: name) == 1, "\(name)")
            #expect(try await process.nextEpoch(for: name) == 2, "\(name)")
        }
        await process.close()
    }

    static func epochsAreUnique(_ harness: any CoordinatorHarness) async throws {
        var processes: [any CoordinationService] = []
        for i in 0..<(harness.isShared ? 3 : 1) { processes.append(try await harness.open(i, of: harness.isShared ? 3 : 1)) }
        let epochs = try await withThrowingTaskGroup(of: Int64.self) { group in
            for i in 0..<30 {
                let process = processes[i % processes.count]
                group.addTask { try await process.nextEpoch(for: "analyze") }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(epochs) == Set(1...30))
        await closeAll(processes)
    }

    // MARK: Division of work

    static func oneOwnsAll(_ harness: any CoordinatorHarness) async throws {
        let process = try await openAll(1, harness)[0]
        #expect(names(100).allSatisfy { process.owns($0) && process.tenure(of: $0) != nil })
        #expect(process.status.members.count == 1)
        await process.close()
    }

    static func namesAreDivided(_ harness: any CoordinatorHarness) async throws {
        let all = try await openAll(3, harness)
        try await eventually("every name has an owner") { names(300).allSatisfy { name in all.contains { $0.owns(name) } } }
        for name in names(300) { #expect(all.filter { $0.owns(name) }.count == 1, "\(name)") }
        for process in all {
            #expect((50...150).contains(names(300).filter { process.owns($0) }.count))
            #expect(process.status.members.count == 3)
        }
        await closeAll(all)
    }

    static func leavingHandsOver(_ harness: any CoordinatorHarness) async throws {
        guard harness.isShared else { return }
        let all = try await openAll(3, harness)
        let kept = names(300).filter { all[0].owns($0) }
        await all[2].close()
        try await eventually("two processes own all") {
            names(300).allSatisfy { name in all[0].owns(name) != all[1].owns(name) }
        }
        #expect(kept.allSatisfy { all[0].owns($0) }, "a name went from one that stays to another")
        #expect(names(300).allSatisfy { !all[2].owns($0) })
        #expect(all[0].status.members.count == 2)
        await closeAll(all)
    }

    // MARK: Leaders

    static func oneLeads(_ harness: any CoordinatorHarness) async throws {
        let all = try await openAll(3, harness)
        #expect(all.allSatisfy { !$0.isLeader(of: "retention") }, "nobody has asked for it")
        for process in all { process.campaign(for: "retention") }
        try await eventually("one leads") { all.filter { $0.isLeader(of: "retention") }.count == 1 }
        #expect(all.allSatisfy { !$0.isLeader(of: "other") })
        #expect(all.filter { $0.status.leads == ["retention"] }.count == 1)
        guard harness.isShared, let first = all.firstIndex(where: { $0.isLeader(of: "retention") }) else { return await closeAll(all) }
        await all[first].close()
        let rest = all.indices.filter { $0 != first }.map { all[$0] }
        try await eventually("another leads") { rest.filter { $0.isLeader(of: "retention") }.count == 1 }
        await closeAll(all)
    }

    static func resigning(_ harness: any CoordinatorHarness) async throws {
        let all = try await openAll(2, harness)
        all[0].campaign(for: "a/b")
        try await eventually("it leads") { all[0].isLeader(of: "a/b") }
        all[1].campaign(for: "a/b")
        all[0].resign(from: "a/b")
        #expect(!all[0].isLeader(of: "a/b"))
        if harness.isShared { try await eventually("the other leads") { all[1].isLeader(of: "a/b") } }
        all[0].campaign(for: "a/b")
        if !harness.isShared { #expect(all[0].isLeader(of: "a/b")) }
        await closeAll(all)
    }

    // MARK: Names

    static func instance(_ name: String, _ role: String, _ address: String = "127.0.0.1:9000") -> ServiceInstance {
        ServiceInstance(name: name, role: role, address: address, version: "1.2.3")
    }

    static func instancesAreListed(_ harness: any CoordinatorHarness) async throws {
        let process = try await openAll(1, harness)[0]
        #expect(try await process.instances().isEmpty)
        let collect = instance("host/1", "collect")
        let serve = instance("host/1", "serve")
        process.register(serve)
        process.register(collect)
        try await eventually("both are listed") { try await process.instances() == [collect, serve] }
        let moved = instance("host/1", "serve", "[::1]:80")
        process.register(moved)
        try await eventually("it has moved") { try await process.instances() == [collect, moved] }
        process.withdraw(collect)
        try await eventually("one is left") { try await process.instances() == [moved] }
        await process.close()
    }

    static func closedInstancesGo(_ harness: any CoordinatorHarness) async throws {
        guard harness.isShared else { return }
        let all = try await openAll(2, harness)
        all[0].register(instance("a", "collect"))
        all[1].register(instance("b", "store"))
        try await eventually("both see both") {
            let lists = [try await all[0].instances(), try await all[1].instances()]
            return lists.allSatisfy { $0.map { $0.name } == ["a", "b"] }
        }
        await all[0].close()
        try await eventually("one is left") { try await all[1].instances().map { $0.name } == ["b"] }
        await all[1].close()
    }

    // MARK: Configuration

    static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    static func configurationIsKept(_ harness: any CoordinatorHarness) async throws {
        let process = try await harness.open(0, of: 1)
        #expect(try await process.configuration() == nil)
        let first = try await process.writeConfiguration(bytes("a: 1\n"), expectedVersion: nil)
        #expect(try await process.configuration() == CentralConfiguration(bytes: bytes("a: 1\n"), version: first))
        let second = try await process.writeConfiguration(bytes("a: 2\n"), expectedVersion: first)
        #expect(second > first)
        await process.close()
        let again = try await harness.open(0, of: 1)
        #expect(try await again.configuration() == CentralConfiguration(bytes: bytes("a: 2\n"), version: second))
        await again.close()
    }

    static func configurationConflicts(_ harness: any CoordinatorHarness) async throws {
        let process = try await harness.open(0, of: 1)
        await expectConflict { try await process.writeConfiguration(bytes("x"), expectedVersion: 0) }
        let version = try await process.writeConfiguration(bytes("a"), expectedVersion: nil)
        for wrong in [nil, version + 1, -1, Int64.max] {
            await expectConflict { try await process.writeConfiguration(bytes("b"), expectedVersion: wrong) }
        }
        #expect(try await process.configuration()?.bytes == bytes("a"))
        await process.close()
    }

    private static func expectConflict(_ body: () async throws -> Int64) async {
        let error = await #expect(throws: CoordinationError.self) { _ = try await body() }
        #expect(error?.code == .conflict, "\(String(describing: error))")
    }

    static func configurationIsWatched(_ harness: any CoordinatorHarness) async throws {
        let processes = try await openAll(harness.isShared ? 2 : 1, harness)
        let (writer, reader) = (processes[0], processes[processes.count - 1])
        let seen = Seen()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await configuration in reader.watchConfiguration() {
                    seen.add(String(decoding: configuration.bytes, as: UTF8.self))
                }
            }
            var version: Int64?
            for text in ["one", "two", "three"] {
                version = try await writer.writeConfiguration(bytes(text), expectedVersion: version)
                try await eventually("\(text) is seen") { seen.all.last == text }
            }
            #expect(seen.all == ["one", "two", "three"])
            var late = reader.watchConfiguration().makeAsyncIterator()
            #expect(await late.next()?.bytes == bytes("three"))
            await closeAll(processes)
            try await group.waitForAll()
        }
    }

    static func oddConfigurations(_ harness: any CoordinatorHarness) async throws {
        let process = try await harness.open(0, of: 1)
        var version: Int64?
        for content in [[], [0, 10, 255, 0, 13], Array(repeating: 0x61, count: CentralConfiguration.maxBytes)] as [[UInt8]] {
            version = try await process.writeConfiguration(content, expectedVersion: version)
            #expect(try await process.configuration()?.bytes == content)
        }
        let error = await #expect(throws: CoordinationError.self) {
            try await process.writeConfiguration(Array(repeating: 0, count: CentralConfiguration.maxBytes + 1), expectedVersion: version)
        }
        #expect(error?.code == .invalid)
        await process.close()
    }

    // MARK: Events and the end

    static func eventsAreTold(_ harness: any CoordinatorHarness) async throws {
        let process = try await openAll(1, harness)[0]
        let events = process.events()
        process.campaign(for: "x")
        try await eventually("it leads") { process.isLeader(of: "x") }
        process.resign(from: "x")
        await process.close()
        var told: [CoordinationEvent] = []
        for await event in events { told.append(event) }
        let leading = told.filter { if case .leadership = $0 { true } else { false } }
        #expect(leading == [.leadership(of: "x", held: true), .leadership(of: "x", held: false)])
    }

    static func closedOwnsNothing(_ harness: any CoordinatorHarness) async throws {
        let process = try await openAll(1, harness)[0]
        process.campaign(for: "x")
        try await eventually("it leads") { process.isLeader(of: "x") }
        await process.close()
        await process.close()
        #expect(names(50).allSatisfy { !process.owns($0) && process.tenure(of: $0) == nil })
        #expect(!process.isLeader(of: "x"))
        #expect(process.status.connection == .closed && !process.status.isReady && process.status.leads.isEmpty)
        let error = await #expect(throws: CoordinationError.self) { try await process.nextEpoch(for: "x") }
        #expect(error?.code == .closed)
        for await _ in process.watchConfiguration() { Issue.record("a closed process has no configuration") }
        for await _ in process.events() { Issue.record("a closed process tells nothing") }
    }
}

/// What a task of a test has come by.
private final class Seen: Sendable {
    private let texts = Mutex<[String]>([])
    func add(_ text: String) { texts.withLock { $0.append(text) } }
    var all: [String] { texts.withLock { $0 } }
}
