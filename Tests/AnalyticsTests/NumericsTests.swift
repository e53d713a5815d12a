import Foundation
import TestSupport
import Testing

@testable import Analytics

@Suite struct NumericsTests {
    /// scipy.stats.norm.cdf
    @Test(arguments: [
        (-8.5, 9.47953482220325e-18), (-3, 0.0013498980316300933), (-1, 0.15865525393145707), (-0.1, 0.460172162722971), (0, 0.5),
        (0.5, 0.6914624612740131), (2, 0.9772498680518208), (6, 0.9999999990134123),
    ])
    func normalDistribution(_ z: Double, _ p: Double) {
        #expect(relativeError(NormalDistribution.cdf(z), p) < 1e-13)
    }

    /// scipy.stats.norm.ppf
    @Test(arguments: [
        (1e-300, -37.0470962993612), (1e-20, -9.262340089798409), (1e-5, -4.264890793922825), (0.01, -2.3263478740408408),
        (0.3, -0.5244005127080409), (0.5, 0), (0.9, 1.2815515655446004), (0.975, 1.959963984540054), (0.999999, 4.753424308817087),
    ])
    func normalQuantile(_ p: Double, _ z: Double) {
        #expect(relativeError(NormalDistribution.quantile(p), z) < 1e-12)
    }

    @Test func normalQuantileAtTheEnds() {
        #expect(NormalDistribution.quantile(0) == -.infinity)
        #expect(NormalDistribution.quantile(1) == .infinity)
        #expect(NormalDistribution.quantile(1.5).isNaN)
        #expect(NormalDistribution.quantile(.nan).isNaN)
    }

    /// scipy.stats.chi2.sf
    @Test(arguments: [
        (1, 0.5, 0.47950012218695337), (2, 3, 0.22313016014842982), (40, 47.673903870555634, 0.18888036673514794),
        (40, 1500, 6.7816667323024015e-289), (40, 10, 0.999999654786418), (1000, 1100, 0.014614408126295192),
        (3, 1e-8, 0.999999999999734), (5, 120, 3.1385797727553017e-24), (4000, 3900, 0.8686473630432853),
        (1, 1300, 1.1303728441493301e-284),
    ])
    func chiSquare(_ degrees: Int, _ x: Double, _ p: Double) {
        #expect(relativeError(ChiSquare.survival(x, degrees: degrees), p) < 1e-10)
    }

    @Test func chiSquareAtTheEnds() {
        #expect(ChiSquare.survival(0, degrees: 3) == 1)
        #expect(ChiSquare.survival(-1, degrees: 3) == 1)
        #expect(ChiSquare.survival(1e6, degrees: 3) == 0)
        #expect(ChiSquare.survival(.infinity, degrees: 3) == 0)
    }

    @Test(arguments: [0, 1, 3, 4, 7, 8, 9, 31, 64, 101]) func kernelsEqualTheScalarLoop(_ n: Int) {
        var random = SplitMix64(seed: UInt64(n))
        let a = random.noise(n + 20)
        let b = random.noise(n + 20)
        #expect(abs(Kernels.sum(a, count: n) - a.prefix(n).reduce(0, +)) < 1e-12)
        #expect(abs(Kernels.dot(a, b, count: n) - (0..<n).reduce(0) { $0 + a[$1] * b[$1] }) < 1e-12)
        for lags in [1, 4, 6, 20] {
            var out = [Double](repeating: .nan, count: lags)
            Kernels.laggedProducts(a, b, count: n, lags: lags, into: &out)
            for k in 0..<lags {
                #expect(abs(out[k] - (0..<n).reduce(0) { $0 + a[$1] * b[$1 + k] }) < 1e-12, "n \(n) lag \(k) of \(lags)")
            }
        }
        let extent = Kernels.extent(a, count: n)
        #expect(extent.isFinite)
        #expect(extent.min == a.prefix(n).min() ?? .infinity)
        #expect(extent.max == a.prefix(n).max() ?? -.infinity)
        var moved = a
        Kernels.affine(&moved, count: n, minus: 0.5, times: 2)
        #expect(moved == a.enumerated().map { $0.offset < n ? ($0.element - 0.5) * 2 : $0.element })
        var distances = b
        Kernels.addAbsoluteDifferences(a, b, count: n, weight: 0.25, into: &distances)
        var products = b
        Kernels.addProducts(a, a, count: n, into: &products)
        for i in 0..<(n + 20) {
            #expect(distances[i] == (i < n ? b[i] + 0.25 * abs(a[i] - b[i]) : b[i]))
            #expect(products[i] == (i < n ? b[i] + a[i] * a[i] : b[i]))
        }
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity], [0, 5, 8, 12]) func extentFindsWhatIsNotFinite(_ bad: Double, _ index: Int) {
        var x = [Double](repeating: 1, count: 13)
        x[index] = bad
        #expect(!Kernels.extent(x, count: 13).isFinite)
    }

    @Test(arguments: 1...60) func orderStatisticsEqualSorting(_ seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        let n = Int.random(in: 1...300, using: &random)
        // Few distinct values in every other case: ties.
        let values = (0..<n).map { _ in seed % 2 == 0 ? random.normal() : Double(Int.random(in: 0...3, using: &random)) }
        let ranks = Set((0..<Int.random(in: 1...12, using: &random)).map { _ in Int.random(in: 0..<n, using: &random) }).sorted()
        let sorted = values.sorted()
        var selected = values
        OrderStatistics.select(ranks, in: &selected)
        for rank in ranks { #expect(selected[rank] == sorted[rank], "seed \(seed) n \(n) rank \(rank)") }
        #expect(selected.sorted() == sorted)
        var copy = values
        #expect(OrderStatistics.median(&copy) == sorted[(n - 1) / 2])
    }

    @Test func medianOfNothing() {
        var none: [Double] = []
        #expect(OrderStatistics.median(&none) == nil)
    }

    @Test(arguments: 1...10) func choleskyEqualsReflections(_ seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        let (rows, size) = (60, 7)
        var columns = random.noise(rows * size)
        // A column that repeats an earlier one, and one of zeros, change nothing.
        for r in 0..<rows {
            columns[3 * rows + r] = 2 * columns[1 * rows + r]
            columns[4 * rows + r] = 0
        }
        var products = [Double](repeating: 0, count: size * size)
        for i in 0..<size {
            for j in 0..<size { products[i * size + j] = (0..<rows).reduce(0) { $0 + columns[i * rows + $1] * columns[j * rows + $1] } }
        }
        let fast = NestedLeastSquares.factor(crossProducts: products, size: size)
        let sure = NestedLeastSquares.factor(columns: columns, rows: rows, size: size)
        #expect(fast.ranks == [1, 2, 3, 3, 3, 4])
        #expect(sure.ranks == fast.ranks)
        for j in 0..<(size - 1) {
            #expect(abs(fast.coordinates[j] - sure.coordinates[j]) < 1e-10, "seed \(seed)")
            #expect(relativeError(fast.residuals[j], sure.residuals[j]) < 1e-10, "seed \(seed)")
        }
    }

    @Test func centeringKeepsTheDigitsOfNoiseOnALargeLevel() throws {
        var random = SplitMix64(seed: 3)
        let noise = random.noise(1000).map { ($0 * 1e-3 * 0x1p20).rounded() * 0x1p-20 }
        let series = try CenteredSeries.make(of: noise.map { 1e9 + $0 }, minimum: 2).get()
        let mean = noise.reduce(0, +) / 1000
        for t in 0..<1000 { #expect(abs(series.storage[t] / series.scale - (noise[t] - mean)) < 1e-12) }
    }

    @Test func centeringSurvivesTheEndsOfTheRange() throws {
        let top = Double.greatestFiniteMagnitude
        let wide = try CenteredSeries.make(of: [top, -top, 0, top / 2], minimum: 2).get()
        #expect(wide.storage.allSatisfy { abs($0) <= 2 })
        #expect(wide.restore(wide.storage[1]).isFinite)
        let tiny = try CenteredSeries.make(of: [0, Double.leastNonzeroMagnitude, 0, 0], minimum: 2).get()
        #expect(finite(tiny.storage))
        #expect(tiny.storage[1] > tiny.storage[0])
    }
}
