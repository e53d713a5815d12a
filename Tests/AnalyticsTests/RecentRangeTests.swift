import Testing

@testable import Analytics

struct RecentRangeTests {
    private static func range(_ values: [Double], horizon: Int) throws -> RecentRange {
        try values.withUnsafeBufferPointer {
            RecentRange(before: try #require($0.baseAddress) + values.count, count: values.count, horizon: horizon)
        }
    }

    /// Last value 9, median of five 3, block 2, 3, 9: the path from 3 to 9, maximum at 9, minimum from 2 to 9, mean from (9 + 14 / 3) / 2
    /// to 9.
    @Test func distancesBeyondTheRange() throws {
        let range = try Self.range([5, 1, 3, 2, 3, 9], horizon: 3)
        var departures = [0.0, 0, 0, 0, 0, 0]
        func extend(_ row: [Double]) throws {
            try row.withUnsafeBufferPointer { range.extend(&departures, by: try #require($0.baseAddress)) }
        }
        try extend([4, 9, 3, 9, 2, 7])
        #expect(departures == [0, 0, 0, 0, 0, 0])
        try extend([10, 2, 3, 7, 1, 12])
        #expect(departures == [1, 1, 0, 2, 1, 3])
        try extend([9.5, 0, 3, 9, 11, 0])
        #expect(departures[..<5] == [1, 3, 0, 2, 2])
        #expect(abs(departures[5] - (9 + 14.0 / 3) / 2) < 1e-12)
    }

    @Test func forecastsComeBack() throws {
        let range = try Self.range([5, 1, 3, 2, 3, 9], horizon: 3)
        var row = [0.0, 20, 5, 20, -5, 5]
        range.confine(&row, to: [1, 2, 0, 3, 0.5, 0])
        #expect(row[..<5] == [2, 11, 5, 12, 1.5])
        #expect(abs(row[5] - (9 + 14.0 / 3) / 2) < 1e-12)
    }

    /// Fewer values than five, or than a block, and the order of the five.
    @Test func fewValuesAndTheMedian() throws {
        var row = [0.0, 0, 0, 0]
        try Self.range([7], horizon: 1).confine(&row, to: [0, 0, 0, 0])
        #expect(row == [7, 7, 7, 7])
        var random = SeededGenerator(seed: 4)
        for _ in 0..<200 {
            let five = random.noise(5).map { ($0 * 2).rounded() }
            var (low, high) = ([-100.0, 0, 0, 0], [100.0, 0, 0, 0])
            try Self.range(five, horizon: 1).confine(&low, to: [0, 0, 0, 0])
            try Self.range(five, horizon: 1).confine(&high, to: [0, 0, 0, 0])
            let middle = five.sorted()[2]
            #expect([low[0], high[0]] == [min(middle, five[4]), max(middle, five[4])], "\(five)")
        }
    }

    /// Nothing like it in the last 1,000 values: the minimum of the next ten need not be near the burst, and the path need not either.
    @Test func theFirstBurstMayEnd() throws {
        var random = SeededGenerator(seed: 12)
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
