import Coordination
import TestSupport
import Testing

/// A ZooKeeper and processes in simulated time: random joining, leaving, killing, pausing, slow and lost messages. At every step each name
/// has at most one owner, paused processes included; when all is quiet again it has exactly one.
@Suite struct DivisionSimulationTests {
    @Test(arguments: UInt64(1)...24) func noNameEverHasTwoOwners(seed: UInt64) {
        var simulation = Simulation(seed: seed, timing: Simulation.timing)
        let result = simulation.run()
        #expect(result.violations.isEmpty, "seed \(seed): \(result.violations.prefix(3))")
        #expect(result.unownedAtEnd.isEmpty, "seed \(seed): \(result.unownedAtEnd)")
        #expect(result.handovers > 0, "seed \(seed): nothing happened")
    }

    /// The same histories find it when one of the three rules is broken.
    @Test(arguments: ["no grace", "a long lease", "a careless acknowledgement"]) func aBrokenRuleIsFound(_ rule: String) {
        var timing = Simulation.timing
        if rule == "no grace" { timing.grace = .zero }
        if rule == "a long lease" { timing.lease = timing.lease * 3 }
        let found = (UInt64(1)...24).contains { seed in
            var simulation = Simulation(seed: seed, timing: timing, isCareless: rule == "a careless acknowledgement")
            return !simulation.run().violations.isEmpty
        }
        #expect(found, "\(rule)")
    }
}

private struct Simulation {
    static let sessionTimeout = 1_200
    static let timing = LeaseTiming(sessionTimeout: .milliseconds(sessionTimeout))
    /// Length of a step, ms; all times are counted in ms.
    static let step = 10
    static let faultsUntil = 9_000
    static let end = faultsUntil + 4 * sessionTimeout

    struct Result {
        var violations: [String] = []
        var unownedAtEnd: [String] = []
        var handovers = 0
    }

    /// What the service holds of one session's node.
    struct Node {
        var member: Member
        var expires: Int
        var seen: Int64 = -1
    }

    enum Request { case join, write(seen: Int64), list, close }
    enum Reply { case joined(sequence: Int64), written, list([Node]), expired, lost }

    struct Process {
        var id: String
        var division: Division
        var lease: Lease
        var isAlive = true
        var isLeaving = false
        var pausedUntil = 0
        var sequence: Int64?
        var nextBeat = 0
        var sentAt = 0
        /// One request at a time.
        var request: (arrives: Int, body: Request, sequence: Int64?)?
        var reply: (arrives: Int, body: Reply)?
    }

    let names = (0..<6).map { "n\($0)" }
    let timing: LeaseTiming
    let isCareless: Bool
    let base = ContinuousClock.now
    var random: SplitMix64
    var nodes: [Int64: Node] = [:]
    var nextSequence: Int64 = 0
    var processes: [Process] = []
    var result = Result()
    var owners: [String: String] = [:]

    init(seed: UInt64, timing: LeaseTiming, isCareless: Bool = false) {
        random = SplitMix64(seed: seed)
        self.timing = timing
        self.isCareless = isCareless
    }

    func instant(_ now: Int) -> ContinuousClock.Instant { base.advanced(by: .milliseconds(now)) }
    mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &random) == 0 }

    mutating func delay(_ now: Int) -> Int {
        let isSlow = now < Simulation.faultsUntil && chance(12)
        return Int.random(in: isSlow ? 100...900 : 1...40, using: &random)
    }

    mutating func run() -> Result {
        for i in 0..<3 { start("m\(i)") }
        var now = 0
        while now < Simulation.end {
            if now < Simulation.faultsUntil { faults(now) }
            for i in processes.indices {
                serve(i, now)
                if processes[i].isAlive && processes[i].pausedUntil <= now { act(i, now) }
            }
            // Someone is there in the end.
            if now == Simulation.faultsUntil && !processes.contains(where: { $0.isAlive && !$0.isLeaving }) { start("m9") }
            nodes = nodes.filter { $0.value.expires > now }
            check(now)
            now += Simulation.step
        }
        result.unownedAtEnd = names.filter { name in owner(name, now).count != 1 }
        return result
    }

    mutating func start(_ id: String) {
        processes.append(
            Process(id: id, division: Division(grace: timing.grace), lease: Lease(duration: timing.lease)))
    }

    mutating func faults(_ now: Int) {
        if chance(60) {
            // A new process, or one that was killed comes back under its name before its session is over.
            let living = Set(processes.filter { $0.isAlive }.map { $0.id })
            let idle = (0..<5).map { "m\($0)" }.filter { !living.contains($0) }
            if let id = idle.randomElement(using: &random) { start(id) }
        }
        guard chance(40), let i = processes.indices.filter({ processes[$0].isAlive }).randomElement(using: &random) else { return }
        switch Int.random(in: 0..<4, using: &random) {
        case 0: processes[i].isAlive = false
        case 1:
            processes[i].isLeaving = true
            processes[i].division.leave()
            processes[i].lease.drop()
        default: processes[i].pausedUntil = now + Int.random(in: 50...(2 * Simulation.sessionTimeout), using: &random)
        }
    }

    /// The service: what has arrived is done, also for a process that has died or sleeps.
    mutating func serve(_ i: Int, _ now: Int) {
        guard let request = processes[i].request, request.arrives <= now else { return }
        processes[i].request = nil
        processes[i].reply = (now + delay(now), answer(to: request.body, of: request.sequence, id: processes[i].id, now))
    }

    mutating func answer(to request: Request, of sequence: Int64?, id: String, _ now: Int) -> Reply {
        // The leader may have heard of the session a quarter of the timeout ago.
        let expires = now + Simulation.sessionTimeout - Int.random(in: 0...(Simulation.sessionTimeout / 4), using: &random)
        if case .join = request {
            nextSequence += 1
            nodes[nextSequence] = Node(member: Member(id: id, sequence: nextSequence), expires: expires)
            return .joined(sequence: nextSequence)
        }
        guard let sequence, let node = nodes[sequence] else { return .expired }
        switch request {
        case .close:
            nodes[sequence] = nil
            return .expired
        case .write(let seen):
            nodes[sequence]?.seen = seen
            nodes[sequence]?.expires = max(node.expires, expires)
            return .written
        case .list, .join:
            nodes[sequence]?.expires = max(node.expires, expires)
            return .list(Array(nodes.values))
        }
    }

    mutating func act(_ i: Int, _ now: Int) {
        if let reply = processes[i].reply, reply.arrives <= now {
            processes[i].reply = nil
            take(reply.body, i, now)
        }
        guard processes[i].request == nil && processes[i].reply == nil, processes[i].nextBeat <= now, processes[i].isAlive else { return }
        processes[i].sentAt = now
        if processes[i].isLeaving {
            send(.close, i, now)
        } else if processes[i].sequence == nil {
            send(.join, i, now)
        } else {
            send(.write(seen: processes[i].division.newestSeen), i, now)
        }
    }

    mutating func send(_ request: Request, _ i: Int, _ now: Int) {
        // What is lost on the way is told after a while, as a lost connection is.
        if now < Simulation.faultsUntil && chance(25) {
            processes[i].reply = (now + 400, .lost)
        } else {
            processes[i].request = (now + delay(now), request, processes[i].sequence)
        }
    }

    mutating func take(_ reply: Reply, _ i: Int, _ now: Int) {
        switch reply {
        case .joined(let sequence):
            processes[i].sequence = sequence
            if !processes[i].isLeaving {
                processes[i].division.join(as: Member(id: processes[i].id, sequence: sequence), at: instant(now))
            }
            processes[i].nextBeat = now
        case .written where processes[i].isLeaving: processes[i].nextBeat = now
        case .written: send(.list, i, now)
        case .list where processes[i].isLeaving: processes[i].nextBeat = now
        case .list(let list):
            let changed = processes[i].division.look(at: list.map { $0.member }, now: instant(now))
            processes[i].lease.renew(sentAt: instant(processes[i].sentAt), now: instant(now))
            for node in list {
                let seen = isCareless ? Int64.max : node.seen
                processes[i].division.acknowledge(by: node.member.sequence, seen: seen, now: instant(now))
            }
            processes[i].nextBeat = changed ? now : now + Simulation.sessionTimeout / 12
        case .expired:
            if processes[i].isLeaving { processes[i].isAlive = false }
            processes[i].sequence = nil
            processes[i].division.leave()
            processes[i].lease.drop()
            processes[i].nextBeat = now
        case .lost: processes[i].nextBeat = now
        }
    }

    func owner(_ name: String, _ now: Int) -> [Process] {
        processes.filter { $0.isAlive && $0.division.tenure(of: name, lease: $0.lease, at: instant(now)) != nil }
    }

    mutating func check(_ now: Int) {
        for name in names {
            let present = owner(name, now)
            if present.count > 1 {
                result.violations.append("\(name) at \(now) ms: \(present.map { "\($0.id)#\($0.sequence ?? -1)" })")
            }
            if let one = present.first?.id, owners[name] != one {
                if owners[name] != nil { result.handovers += 1 }
                owners[name] = one
            }
        }
    }
}
