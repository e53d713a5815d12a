import Storage
import Testing
import TimeSeries

@Suite struct HistoryIntervalTests {
    @Test func keepsTheFirstGridPointOfEachInterval() {
        let exact = HistoryInterval(every: 300_000, grid: 1)
        #expect(exact.keeps(0) && exact.keeps(600_000) && exact.keeps(-300_000))
        #expect(!exact.keeps(1) && !exact.keeps(-1))
        // A grid of 7 s does not divide 60 s, and still one row a minute is kept.
        let odd = HistoryInterval(every: 60_000, grid: 7000)
        for shift in 0..<7 as Range<Int64> {
            for minute in -5..<50 as Range<Int64> {
                let first = minute * 60_000
                let grid = stride(from: first + ((shift - first) % 7000 + 7000) % 7000, to: first + 60_000, by: 7000)
                let points = Array(grid)
                #expect(points.filter(odd.keeps).count == 1)
            }
        }
        #expect(HistoryInterval(every: 0, grid: 0).keeps(17), "every row is kept")
        #expect(HistoryInterval(every: 1, grid: 5).keeps(.min))
    }
}
