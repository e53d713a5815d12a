import Testing

@testable import TimeSeries

@Suite struct EventClockTests {
    @Test func watermarksOnlyGoForward() {
        var clock = EventClock(idleTimeout: 90_000)
        #expect(clock.watermark(of: 1, now: 5) == .min)
        clock.observe(source: 1, watermark: 1_000, now: 2_000)
        clock.observe(source: 1, watermark: 500, now: 2_500)
        #expect(clock.watermark(of: 1, now: 3_000) == 1_000)
    }

    @Test func aSilentSourceFollowsTheWallClockButSealsLate() {
        var clock = EventClock(idleTimeout: 90_000)
        clock.observe(source: 1, watermark: 1_000, now: 2_000)
        #expect(!clock.isSilent(1, now: 92_000))
        #expect(clock.watermark(of: 1, now: 92_000) == 1_000)
        #expect(clock.isSilent(1, now: 92_001))
        #expect(clock.watermark(of: 1, now: 200_000) == 110_000)
        #expect(clock.sealingWatermark(of: 1, now: 200_000) == 1_000)
        #expect(clock.sealingWatermark(of: 1, now: 2_000 + 3_600_001) == 2_001)
    }

    @Test func sourcesDoNotHoldEachOtherBack() {
        var clock = EventClock(idleTimeout: 90_000)
        clock.observe(source: 1, watermark: 1_000, now: 50_000)
        clock.observe(source: 2, watermark: 49_000, now: 50_000)
        #expect(clock.watermark(of: 1, now: 50_000) == 1_000)
        #expect(clock.watermark(of: 2, now: 50_000) == 49_000)
        clock.forget(1)
        #expect(clock.isSilent(1, now: 50_000) && clock.sourceIDs == [2])
    }
}
