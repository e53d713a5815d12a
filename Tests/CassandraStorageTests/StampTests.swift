import Records
import Storage
import Testing
import TimeSeries

@testable import CassandraStorage

@Suite struct StampTests {
    private let day: Int32 = 86_400

    @Test func laterTimesAndHigherRevisionsWin() {
        #expect(Stamps.byTime(5) > Stamps.byTime(4))
        #expect(Stamps.byTime(-5) < Stamps.byTime(4))
        #expect(Stamps.byTimeReversed(5) < Stamps.byTimeReversed(4))
        for time: Int64 in [.min, -1, 0, 1_785_585_600_000, .max] {
            #expect(Stamps.byTime(time) > 0 && Stamps.byTimeReversed(time) > 0, "Cassandra refuses timestamps below zero")
        }
        #expect(Stamps.byRevision(Revision(rawValue: 7)) == 7)
        #expect(Stamps.byRevision(Revision(rawValue: .max)) > 7)
    }

    /// All that is written on one day of one fact ends at one time, whenever on that day.
    @Test func livesEndTogether() {
        let age: Milliseconds = 15 * 86_400_000
        for time: Milliseconds in [0, 1_785_585_600_000] {
            let ends = Set(
                [0, 1, 3600, 86_399].map { (offset: Int32) in
                    let now = 20_000 * day + offset
                    return now + Stamps.life(time, age: age, now: now)
                })
            #expect(ends.count == 1 || time > 0)
            #expect(ends.allSatisfy { $0 % day == 0 })
        }
        let now = 20_000 * day + 5
        #expect(Stamps.life(0, age: age, now: now) == 16 * day - 5)
        #expect(Stamps.life(.max, age: .max, now: now) <= 20 * 365 * day)
        #expect(Stamps.life(.min, age: 0, now: now) == day - 5)
    }

    @Test func days() {
        #expect(Stamps.day(-1) == -1)
        #expect(Stamps.day(.min) == .min && Stamps.day(.max) == .max)
        #expect(Stamps.range(5, 5) == nil)
        #expect(DayNumber.number("2025-10-14") == 20_251_014)
        #expect(DayNumber.text(20_251_014) == "2025-10-14")
        #expect(DayNumber.text(DayNumber.number("0001-01-01") ?? 0) == "0001-01-01")
        #expect(DayNumber.number("x") == nil)
    }
}
