import MessagingContract
import TestSupport
import Testing

@testable import Messaging

@Suite("Group state") struct GroupStateTests {
    private let now = ContinuousClock.now

    @Test func rangeAssignment() {
        var state = GroupState(handover: .seconds(60))
        for member in [3, 1, 2] { state.join(member, topics: ["a": 7, "b": 2], now: now) }
        let got = [1, 2, 3].map { state.collect($0, now: now).assigned.map { "\($0)" } }
        #expect(got == [["a/0", "a/1", "a/2", "b/0"], ["a/3", "a/4", "b/1"], ["a/5", "a/6"]])
    }

    @Test func onlyReadersOfATopicGetIt() {
        var state = GroupState(handover: .seconds(60))
        state.join(1, topics: ["a": 2], now: now)
        state.join(2, topics: ["b": 2], now: now)
        #expect(state.collect(1, now: now).assigned.map { $0.topic } == ["a", "a"])
        #expect(state.collect(2, now: now).assigned.map { $0.topic } == ["b", "b"])
    }

    @Test func handover() {
        var state = GroupState(handover: .seconds(60))
        state.join(1, topics: ["a": 2], now: now)
        #expect(state.collect(1, now: now).assigned.count == 2)
        state.join(2, topics: ["a": 2], now: now)
        #expect(state.collect(2, now: now).isEmpty, "not before the former owner has heard of it")
        #expect(state.owns(1, TopicPartition("a", 1)))
        #expect(state.collect(1, now: now).revoked == [TopicPartition("a", 1)])
        #expect(!state.owns(1, TopicPartition("a", 1)))
        #expect(state.collect(2, now: now).assigned == [TopicPartition("a", 1)])
        state.leave(1, now: now)
        #expect(state.collect(2, now: now).assigned == [TopicPartition("a", 0)])
    }

    @Test func aMemberThatDoesNotPollLosesItsPartitions() {
        var state = GroupState(handover: .seconds(60))
        state.join(1, topics: ["a": 1], now: now)
        _ = state.collect(1, now: now)
        state.join(0, topics: ["a": 1], now: now)
        #expect(state.collect(0, now: now + .seconds(59)).isEmpty)
        #expect(state.nextDeadline(0) == now + .seconds(60))
        #expect(state.collect(0, now: now + .seconds(60)).assigned == [TopicPartition("a", 0)])
        #expect(!state.owns(1, TopicPartition("a", 0)))
        #expect(state.collect(1, now: now + .seconds(61)).revoked == [TopicPartition("a", 0)])
    }

    /// Joins, leaves and polls in any order: never two owners, what members were told adds up, and in the end all is divided.
    @Test(arguments: 0..<100 as Range<UInt64>) func randomMembers(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var state = GroupState(handover: .seconds(60))
        let counts = ["a": 5, "b": 1, "c": 8]
        var held: [Int: Set<TopicPartition>] = [:]
        func collect(_ member: Int) {
            let change = state.collect(member, now: now)
            #expect(held[member, default: []].isSuperset(of: change.revoked), "seed \(seed)")
            held[member, default: []].subtract(change.revoked)
            #expect(held[member, default: []].isDisjoint(with: change.assigned), "seed \(seed)")
            held[member, default: []].formUnion(change.assigned)
            let all = held.values.flatMap { $0 }
            #expect(Set(all).count == all.count, "two members hold one partition, seed \(seed)")
        }
        for step in 0..<200 {
            switch Int.random(in: 0..<6, using: &generator) {
            case 0:
                state.join(step, topics: counts, now: now)
                held[step] = []
            case 1:
                if let member = held.keys.sorted().randomElement(using: &generator) {
                    state.leave(member, now: now)
                    held[member] = nil
                }
            default:
                if let member = held.keys.sorted().randomElement(using: &generator) { collect(member) }
            }
        }
        if held.isEmpty { return }
        for _ in 0..<2 { for member in held.keys.sorted() { collect(member) } }
        #expect(held.values.reduce(0) { $0 + $1.count } == 14, "seed \(seed)")
        let sizes = held.values.map { $0.count }
        #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 3, "seed \(seed)")
    }
}
