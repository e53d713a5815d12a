import Testing
import TimeSeries

@testable import Collecting

@Suite struct ScheduleTests {
    @Test(arguments: [100, 1_000, 15_000, 60_000, 86_400_000] as [Milliseconds])
    func slotsStandOnTheTargetsOffset(interval: Milliseconds) {
        let schedule = ScrapeSchedule(name: "node http://127.0.0.1:9100/metrics", interval: interval)
        #expect((0..<interval).contains(schedule.offset))
        var now: Milliseconds = 1_700_000_000_123
        for _ in 0..<50 {
            let slot = schedule.slot(after: now)
            #expect(slot > now && slot - now <= interval)
            #expect((slot - schedule.offset) % interval == 0)
            #expect(schedule.slot(after: slot) == slot + interval)
            #expect(schedule.slot(after: slot - 1) == slot)
            now = slot
        }
        #expect(schedule.slot(after: -1) >= 0 || schedule.slot(after: -1) > -1)
        #expect(schedule.slot(after: -5 * interval) > -5 * interval)
    }

    /// A changed number here means that every installation scrapes at other times after an update.
    @Test func theOffsetIsTheSameInEveryProcess() {
        #expect(ScrapeSchedule(name: "node http://127.0.0.1:9100/metrics", interval: 15_000).offset == 8_181)
        #expect(ScrapeSchedule(name: "node http://127.0.0.1:9101/metrics", interval: 15_000).offset == 11_717)
    }

    @Test func targetsSpreadOverTheInterval() {
        var buckets = [Int](repeating: 0, count: 10)
        for port in 0..<1_000 {
            let schedule = ScrapeSchedule(name: "job http://127.0.0.1:\(port)/metrics", interval: 15_000)
            buckets[Int(schedule.offset / 1_500)] += 1
        }
        #expect(buckets.allSatisfy { $0 > 60 && $0 < 140 }, "\(buckets)")
    }

    @Test func aScrapeThatStartsNearlyOnTimeCarriesItsSlotsTime() {
        let schedule = ScrapeSchedule(name: "a", interval: 15_000)
        #expect(schedule.tolerance == 100)
        #expect(schedule.timestamp(slot: 1_000, startedAt: 1_000) == 1_000)
        #expect(schedule.timestamp(slot: 1_000, startedAt: 1_100) == 1_000)
        #expect(schedule.timestamp(slot: 1_000, startedAt: 1_101) == 1_101)
        #expect(schedule.timestamp(slot: 1_000, startedAt: 999) == 999)
        #expect(ScrapeSchedule(name: "a", interval: 1_000).tolerance == 10)
    }

    @Test func noStepIsLostBetweenPieces() {
        #expect(closedSteps(15_000, after: 15_000, upTo: 60_000) == [30_000...60_000])
        #expect(closedSteps(15_000, after: 14_999, upTo: 15_000) == [15_000...15_000])
        #expect(closedSteps(15_000, after: 15_000, upTo: 29_999).isEmpty)
        let ranges = closedSteps(100, after: 0, upTo: 2_500_000)
        #expect(ranges.count == 3)
        #expect(ranges.reduce(0) { $0 + ($1.upperBound - $1.lowerBound) / 100 + 1 } == 25_000)
        #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound + 100 == $1.lowerBound })
    }
}
