import CassandraClient
import TestSupport
import Testing

@testable import CassandraStorage

@Suite struct RecentWritesTests {
    @Test func whatIsRecentIsDueAfterALoss() {
        var writes = RecentWrites()
        for i in 0..<100 { writes.add([], now: Int32(i), at: Int64(i) * 1000) }
        #expect(writes.isSettled)
        writes.lose()
        #expect(!writes.isSettled)
        // The last twenty seconds, the newest at the end.
        #expect(writes.newest(1000).map(\.now) == Array(79...99))
        #expect(writes.newest(2).map(\.now) == [98, 99])
        writes.settle(2, 1, at: 100_000)
        #expect(writes.newest(1000).map(\.now) == Array(79...97))
        writes.settle(19, 1, at: 100_500)
        #expect(writes.isSettled)
        // What was written again may be forgotten again.
        writes.lose()
        #expect(writes.newest(1000).count == 21)
    }

    @Test func whatWasRepeatedWhileANodeWasLostStaysDue() {
        var writes = RecentWrites()
        writes.add([], now: 1, at: 0)
        writes.lose()
        writes.lose()
        writes.settle(1, 1, at: 10)
        #expect(!writes.isSettled)
        writes.settle(1, 2, at: 20)
        #expect(writes.isSettled)
    }

    @Test func epochsAreRaisedAfterALoss() {
        var writes = RecentWrites()
        writes.add(epoch: 7, of: "a")
        writes.add(epoch: 5, of: "a")
        #expect(writes.dueEpoch == nil)
        writes.lose()
        #expect(writes.dueEpoch?.name == "a" && writes.dueEpoch?.epoch == 7)
        writes.settleEpoch("a", 0)
        #expect(!writes.isSettled)
        writes.settleEpoch("a", 1)
        #expect(writes.isSettled)
    }
}
