import TestSupport
import Testing

@testable import Analytics

struct RecentRangeTests {
    /// Last value 9, median of five 3, block 2, 3, 9: the path from 3 to 9, maximum at 9, minimum from 2 to 9, mean from (9 + 14 / 3) / 2
    /// to 9.
    @Test func distancesBeyondTheRange() {
        let values = [5.0, 1, 3, 2, 3, 9, 7]
        func departures(_ row: [Double]) -> [Double] {
            RecentRange.departures(row, from: values, origins: ForecastOrigins(first: 6, stride: 1, count: 1), horizon: 3)
        }
        #expect(departures([4, 9, 3, 9, 2, 7]) == [0, 0, 0, 0, 0, 0])
        #expect(departures([10, 2, 3, 7, 1, 12]) == [1, 1, 0, 2, 1, 3])
        let below = departures([9.5, 0, 3, 9, 11, 0])
        #expect(below[..<5] == [0.5, 3, 0, 0, 2])
        #expect(abs(below[5] - (9 + 14.0 / 3) / 2) < 1e-12)
        // The largest of two origins: path and maximum at the first, minimum at the second, where it is from 3 to 7.
        let rows = [100.0, -100, 3, 9, 9, 9, 3, 7, 7, 7, 20, 7]
        let both = RecentRange.departures(rows, from: values, origins: ForecastOrigins(first: 6, stride: 1, count: 2), horizon: 3)
        #expect(both == [91, 103, 0, 0, 13, 0])
    }

    @Test func forecastsComeBack() throws {
        let range = try #require(RecentRange([5, 1, 3, 2, 3, 9], horizon: 3))
        var row = [0.0, 20, 5, 20, -5, 5]
        range.confine(&row, to: [1, 2, 0, 3, 0.5, 0])
        #expect(row[..<5] == [2, 11, 5, 12, 1.5])
        #expect(abs(row[5] - (9 + 14.0 / 3) / 2) < 1e-12)
    }

    /// Fewer values than five, or than a block, and the order of the five.
    @Test func fewValuesAndTheMedian() throws {
        var row = [0.0, 0, 0, 0]
        #expect(RecentRange([], horizon: 1).map { _ in 0 } == nil)
        try #require(RecentRange([7], horizon: 1)).confine(&row, to: [0, 0, 0, 0])
        #expect(row == [7, 7, 7, 7])
        var random = SplitMix64(seed: 4)
        for _ in 0..<200 {
            let five = random.noise(5).map { ($0 * 2).rounded() }
            var (low, high) = ([-100.0, 0, 0, 0], [100.0, 0, 0, 0])
            let range = try #require(RecentRange(five, horizon: 1))
            range.confine(&low, to: [0, 0, 0, 0])
            range.confine(&high, to: [0, 0, 0, 0])
            let middle = five.sorted()[2]
            #expect([low[0], high[0]] == [min(middle, five[4]), max(middle, five[4])], "\(five)")
        }
    }

    /// Nothing like it in the last 1,000 values: the minimum of the next ten need not be near the burst, and the path need not either.
    @Test func theFirstBurstMayEnd() throws {
        var random = SplitMix64(seed: 12)
        let calm = random.noise(1_000).map { 6 + 0.5 * $0 }
        func expected(after more: [Double]) throws -> Forecast { try #require(forecast(calm + more, horizon: 10).value) }
        let burst = try expected(after: [97, 95, 98])
        #expect(burst.min.expected < 8, "\(burst.min.expected)")
        #expect(burst.max.expected > 80, "\(burst.max.expected)")
        let spike = try expected(after: [98])
        #expect(spike.path[4].expected < 20, "\(spike.path[4].expected)")
        // After an hour it is a level.
        let level = try expected(after: random.noise(60).map { 97 + 0.5 * $0 })
        #expect(abs(level.path[4].expected - 97) < 4, "\(level.path[4].expected)")
        #expect(abs(level.min.expected - 96) < 5, "\(level.min.expected)")
    }
}
