import Coordination
import TestSupport
import Testing

private let start = ContinuousClock.now
private func at(_ milliseconds: Int) -> ContinuousClock.Instant { start.advanced(by: .milliseconds(milliseconds)) }
private func ms(_ milliseconds: Int) -> Duration { .milliseconds(milliseconds) }

@Suite struct RendezvousTests {
    private func owner(_ name: String, _ members: [String]) -> String? {
        let hash = Rendezvous.hash(name)
        return members.max {
            Rendezvous.score(member: Rendezvous.hash($0), name: hash) < Rendezvous.score(member: Rendezvous.hash($1), name: hash)
        }
    }

    @Test(arguments: [2, 3, 7, 20]) func sharesAreEven(_ count: Int) {
        let members = (0..<count).map { "collect-\($0)" }
        var shares: [String: Int] = [:]
        for i in 0..<10_000 { shares[owner("http://10.0.0.\(i)/metrics", members) ?? "", default: 0] += 1 }
        let mean = 10_000.0 / Double(count)
        // Five standard deviations of a binomial share.
        for (member, share) in shares {
            #expect((Double(share) - mean).magnitude < 5 * mean.squareRoot(), "\(member) of \(count) has \(share)")
        }
        #expect(shares.count == count)
    }

    @Test func aMemberThatComesTakesOnlyForItself() {
        let before = (0..<5).map { "m\($0)" }
        var moved = 0
        for i in 0..<2_000 {
            let (old, new) = (owner("n\(i)", before), owner("n\(i)", before + ["new"]))
            if old != new {
                #expect(new == "new")
                moved += 1
            }
        }
        #expect((250...420).contains(moved), "a sixth is due, \(moved) moved")
    }
}

@Suite struct LeaseTests {
    @Test func itHoldsFromTheSendingNotFromTheAnswer() {
        var lease = Lease(duration: ms(100))
        #expect(!lease.isHeld(at: at(0)))
        lease.renew(sentAt: at(0), now: at(40))
        #expect(lease.isHeld(at: at(99)) && !lease.isHeld(at: at(100)))
        #expect(lease.remaining(at: at(60)) == ms(40) && lease.remaining(at: at(500)) == .zero)
        #expect(lease.heldSince == at(40))
    }

    @Test func anAnswerThatIsTooLateOrOutOfOrderChangesNothing() {
        var lease = Lease(duration: ms(100))
        lease.renew(sentAt: at(0), now: at(100))
        #expect(!lease.isHeld(at: at(100)) && lease.heldSince == nil)
        lease.renew(sentAt: at(200), now: at(210))
        lease.renew(sentAt: at(150), now: at(220))
        #expect(lease.isHeld(at: at(299)))
    }

    @Test func aBreakBeginsItAnew() {
        var lease = Lease(duration: ms(100))
        lease.renew(sentAt: at(0), now: at(1))
        lease.renew(sentAt: at(90), now: at(95))
        #expect(lease.heldSince == at(1))
        lease.renew(sentAt: at(195), now: at(196))
        #expect(lease.heldSince == at(196))
        lease.drop()
        #expect(!lease.isHeld(at: at(197)))
    }

    @Test func theTimesLeaveRoomForWhatTheServersMaySay() {
        let timing = LeaseTiming(sessionTimeout: .seconds(6))
        #expect(timing == LeaseTiming(sessionTimeout: ms(6_000)))
        #expect(timing.lease == .seconds(4) && timing.heartbeat == ms(500) && timing.grace == ms(4_500))
        #expect(timing.lease + timing.heartbeat + .seconds(6) / 4 <= .seconds(6))
        #expect(timing.grace > timing.lease)
    }
}

@Suite struct DivisionTests {
    private let names = (0..<60).map { "n\($0)" }
    private let a = Member(id: "a", sequence: 1)
    private let b = Member(id: "b", sequence: 2)

    private func held(_ sentAt: Int) -> Lease {
        var lease = Lease(duration: ms(1_000))
        lease.renew(sentAt: at(sentAt), now: at(sentAt))
        return lease
    }

    private func owned(_ division: Division, _ lease: Lease, _ time: Int) -> Set<String> {
        Set(names.filter { division.tenure(of: $0, lease: lease, at: at(time)) != nil })
    }

    @Test func theOldestNeedNotWait() {
        var division = Division(grace: ms(500))
        #expect(owned(division, held(0), 1).isEmpty)
        division.join(as: a, at: at(0))
        #expect(owned(division, held(0), 1).isEmpty, "it has not looked yet")
        division.look(at: [a], now: at(1))
        #expect(owned(division, held(0), 2).count == 60)
        #expect(owned(division, Lease(duration: ms(1_000)), 2).isEmpty, "without a lease nothing is owned")
        #expect(owned(division, held(0), 1_001).isEmpty)
    }

    @Test func aNewMemberWaitsForTheOldOnes() {
        var division = Division(grace: ms(500))
        division.join(as: b, at: at(0))
        division.look(at: [b, a], now: at(1))
        #expect(division.unheard(at: at(2)) == [a])
        #expect(owned(division, held(0), 499).isEmpty)
        #expect((15...45).contains(owned(division, held(0), 500).count))
        division.acknowledge(by: 1, seen: 1, now: at(100))
        #expect(owned(division, held(0), 101).isEmpty, "it has seen only itself")
        division.acknowledge(by: 1, seen: 2, now: at(200))
        let now = owned(division, held(0), 200)
        #expect((15...45).contains(now.count) && division.unheard(at: at(200)).isEmpty)
        var old = Division(grace: ms(500))
        old.join(as: a, at: at(0))
        old.look(at: [a, b], now: at(1))
        #expect(owned(old, held(0), 200) == Set(names).subtracting(now))
        #expect(old.newestSeen == 2)
    }

    @Test func aNewMemberStartsWhenTheOldOnesAreGone() {
        var division = Division(grace: ms(500))
        division.join(as: b, at: at(0))
        division.look(at: [a, b], now: at(1))
        division.look(at: [b], now: at(50))
        #expect(owned(division, held(0), 51).count == 60)
    }

    @Test func ofTwoWithTheSameNameTheOlderOwns() {
        let twin = Member(id: "a", sequence: 5)
        var division = Division(grace: ms(500))
        division.join(as: twin, at: at(0))
        division.look(at: [a, twin], now: at(1))
        #expect(owned(division, held(600), 700).isEmpty)
        division.look(at: [twin], now: at(800))
        #expect(owned(division, held(800), 801).count == 60)
    }

    @Test func whoIsNotOnTheListOwnsNothing() {
        var division = Division(grace: .zero)
        division.join(as: a, at: at(0))
        division.look(at: [b], now: at(1))
        #expect(owned(division, held(0), 10).isEmpty)
        division.look(at: [a], now: at(11))
        #expect(owned(division, held(0), 12).count == 60)
        division.leave()
        #expect(owned(division, held(0), 13).isEmpty && division.members.isEmpty)
    }

    @Test func tenureBeginsWithTheLastOfAllConditions() {
        var division = Division(grace: ms(500))
        division.join(as: a, at: at(0))
        division.look(at: [a], now: at(10))
        #expect(division.tenure(of: "x", lease: held(5), at: at(100)) == ms(90))
        #expect(division.tenure(of: "x", lease: held(40), at: at(100)) == ms(60))
        // Others come and go: what stays this process' has been so all the time.
        let kept =
            Rendezvous.score(member: Rendezvous.hash("a"), name: Rendezvous.hash("x"))
            > Rendezvous.score(member: Rendezvous.hash("b"), name: Rendezvous.hash("x"))
        division.look(at: [a, b], now: at(200))
        division.look(at: [a], now: at(300))
        #expect(division.tenure(of: "x", lease: held(5), at: at(400)) == ms(kept ? 390 : 100))
        for i in 0..<40 { division.look(at: i % 2 == 0 ? [a, b] : [a], now: at(400 + i)) }
        #expect(division.tenure(of: "x", lease: held(5), at: at(500)) != nil, "few views are kept, which must not lose the name")
    }
}

@Suite struct ElectionOrderTests {
    private func node(_ id: String, _ sequence: Int64) -> String { SequentialName(id: id, token: "t", sequence: sequence).description }

    @Test func eachWatchesTheOneBefore() {
        let nodes = [node("c", 12), node("a", 9), node("b", 10), "stranger"]
        #expect(ElectionOrder.place(of: nodes[1], among: nodes) == .leader)
        #expect(ElectionOrder.place(of: nodes[2], among: nodes) == .follower(of: nodes[1]))
        #expect(ElectionOrder.place(of: nodes[0], among: nodes) == .follower(of: nodes[2]))
        #expect(ElectionOrder.place(of: node("d", 1), among: nodes) == .absent)
        #expect(ElectionOrder.place(of: "stranger", among: nodes) == .absent)
    }

    @Test func inRandomHistoriesOneLeadsAndTheRestFormAChain() {
        for seed in UInt64(0)..<50 {
            var random = SplitMix64(seed: seed)
            var nodes: [String] = []
            for sequence in Int64(0)..<30 {
                if Bool.random(using: &random), let gone = nodes.indices.randomElement(using: &random) { nodes.remove(at: gone) }
                nodes.insert(node("m", sequence), at: Int.random(in: 0...nodes.count, using: &random))
                let places = nodes.map { ElectionOrder.place(of: $0, among: nodes) }
                #expect(places.filter { $0 == .leader }.count == 1, "seed \(seed)")
                // No two watch the same node: one end wakes one.
                #expect(Set(places).count == nodes.count, "seed \(seed)")
            }
        }
    }

    @Test(arguments: ["a", "collect@host:9000", "a/b", "~%-", "é ", ".", "..", "with-dashes-1"]) func namesComeBack(_ id: String) {
        let name = SequentialName(id: id, token: "9f", sequence: 7)
        #expect(SequentialName(name.description) == name)
        #expect(name.description.hasSuffix("-0000000007") && !name.description.contains("/"))
        #expect(!["", ".", ".."].contains(SequentialName.encoded(id)))
    }

    @Test(arguments: ["", "x", "a~b", "a~t-x", "a-1", "%zz~t-0000000001", "%f~t-1", "~", "-"]) func strangersAreNoNames(_ node: String) {
        #expect(SequentialName(node) == nil || SequentialName(node)?.id.isEmpty == true)
    }
}
