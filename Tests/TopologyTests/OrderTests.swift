import Messaging
import TestSupport
import Testing

/// Roles that start before what they need, in several orders, become ready without a restart.
@Suite(.enabled(if: Topology.isPossible), .serialized) struct OrderTests {
    /// In the order of starting.
    private static let orders = [
        "collect analyze store serve, zookeeper database broker", "serve store analyze collect, broker database zookeeper",
        "store collect serve analyze, database broker zookeeper", "analyze serve collect store, zookeeper broker database",
    ]

    @Test(.enabled(if: realBroker == nil, "a given broker is there first"), arguments: orders) func rolesFirstThenWhatTheyNeed(
        order: String
    ) async throws {
        let topology = try Topology(Topology.Plan(startsExporters: false))
        defer { topology.stop() }
        topology.mock?.setDown()
        let names = order.split(separator: ",").map { $0.split(separator: " ").map(String.init) }
        let members = names[0].flatMap { topology.of($0) }
        for member in members { try member.start() }
        for member in members {
            let parts = ["collect": ["coordination", "log"], "analyze": ["analyze"], "store": ["storing"], "serve": ["store", "results"]]
            try await eventually("\(member.name) says what it waits for; \(member.tail)") {
                let answer = await member.readiness()
                return answer.code == 503 && (parts[member.role] ?? []).allSatisfy { answer.text.contains($0) }
            }
        }
        for need in names[1] {
            // Nobody is content with less than it needs.
            for member in members where member.role != "collect" || need != "database" {
                let answer = await member.readiness()
                #expect(answer.code == 503 || need == "zookeeper" && member.role != "collect", "\(member.name) before \(need): \(answer)")
            }
            switch need {
            case "zookeeper": try await topology.startZooKeeper()
            case "database": try await topology.startDatabase()
            default: topology.mock?.setUp()
            }
        }
        for member in members { try await member.awaitReady(within: 90) }
        #expect(members.allSatisfy { $0.isRunning })
        for member in members { #expect(member.end(15) == 0, "\(member.tail)") }
    }

    /// What is shared in ZooKeeper is taken by running collectors, and what has mistakes by nobody.
    @Test func theSharedConfigurationIsTakenWhileRunning() async throws {
        let topology = try Topology(Topology.Plan(startsExporters: false))
        defer { topology.stop() }
        try await topology.startZooKeeper()
        let collectors = topology.of("collect")
        for member in collectors { try member.start() }
        for member in collectors { try await member.awaitReady() }
        let config = topology.folder.file("collect-1.yaml")
        let extra = Exporter()
        defer { extra.stop() }
        func put(_ text: String) throws -> String {
            try runTool(program, ["config", "put", try topology.folder.write(text, to: "shared.yaml"), "--config", config])
        }
        let shared =
            "collect: {host: {enabled: false}, scrape: [{job: new, targets: [\"127.0.0.1:\(extra.port)\"], interval: 500ms, timeout: 500ms}]}\n"
        #expect(try put(shared) == "shared as version 0\n")
        #expect(try runTool(program, ["config", "get", "--config", config]) == shared)
        try await eventually("the new target is scraped") { extra.all.count > 3 }
        let old = topology.exporters.map { $0.all.count }
        #expect(throws: ToolFailure.self) { try put("collect: {scrape: [{jb: x}]}\n") }
        #expect(throws: ToolFailure.self) { try put("data: /tmp/elsewhere\n") }
        let before = extra.all.count
        try await eventually("it goes on") { extra.all.count > before + 3 }
        #expect(topology.exporters.map { $0.all.count } == old, "the old targets are left")
        #expect(try put("collect: {host: {enabled: false}}\n").hasPrefix("shared as version"))
        // A collector that starts now takes the shared one too.
        for member in collectors { #expect(member.end(15) == 0, "\(member.tail)") }
    }

    /// Nothing that a role waits for keeps it from ending in time, be it away from the beginning or after some work.
    @Test(.enabled(if: realBroker == nil, "a given broker stays"), arguments: [false, true]) func rolesThatWaitEndInTimeWhenAsked(
        afterWork: Bool
    ) async throws {
        let topology = try Topology(Topology.Plan(startsExporters: false))
        defer { topology.stop() }
        if afterWork {
            try await topology.startZooKeeper()
            try await topology.startDatabase()
        } else {
            topology.mock?.setDown()
        }
        for member in topology.members { try member.start() }
        if afterWork {
            for member in topology.members { try await member.awaitReady() }
            topology.ensemble.stop()
            try topology.database.kill()
            topology.mock?.setDown()
        }
        for member in topology.members {
            try await eventually("\(member.name) says what it waits for") {
                let answer = await member.readiness()
                // An analyzer that has its chunks waits for nothing.
                return answer.code == 503 || afterWork && member.role == "analyze"
            }
        }
        for member in topology.members { member.signal(15) }
        let began = ContinuousClock.now
        for member in topology.members { #expect(member.end(0) == 0, "\(member.tail)") }
        let took = began.duration(to: .now)
        #expect(took < .seconds(9), "it took \(took)")
    }
}
