/// The cross products of all regressions of one augmented Dickey-Fuller search.
///
/// Columns: 1, trend, level x[t], lagged differences d[t-1] ... d[t-L], and the target d[t], on the rows t = L ..< m (m = n - 1
/// differences). Products of two lagged differences lie on diagonals with one common core, so 2 (L + 1) passes over the series
/// yield the whole matrix; along a diagonal values are only ever added, never subtracted. A regression with fewer lags on a
/// longer sample adds its few more rows. Differences and level are centred, which the constant absorbs.
struct DickeyFullerDesign {
    let maximumLag: Int
    /// Number of differences.
    let differenceCount: Int
    /// All differences are the same, but for the rounding of the values.
    let isStraight: Bool
    private let levels: CenteredSeries
    private let differences: [Double]
    /// Symmetric, row-major, in the order of `Column`.
    private let products: [Double]

    /// Above this many elements the design is not laid out for reflections (32 MB).
    private static let layoutLimit = 4_000_000
    /// Below this share of unexplained square the cross products have too few digits left.
    private static let conditioningLimit = 1e-6

    enum Column: Equatable {
        case one, trend, level
        /// 0 is the target.
        case difference(Int)
    }

    /// - Precondition: 0 <= maximumLag <= (levels.count - 3) / 2, which the caller has checked.
    init(_ values: Span<Double>, levels: CenteredSeries, maximumLag: Int) {
        self.levels = levels
        self.maximumLag = maximumLag
        let m = levels.count - 1
        differenceCount = m
        var d = [Double](repeating: 0, count: m)
        values.withUnsafeBufferPointer { x in
            let (shrink, factor) = (levels.shrink, levels.factor)
            for t in 0..<m { d[t] = (x[t + 1] * shrink - x[t] * shrink) * factor }
        }
        d.withUnsafeMutableBufferPointer { d in
            guard let p = d.baseAddress else { return }
            Kernels.affine(p, count: m, minus: Kernels.sum(p, count: m) / Double(m), times: 1)
        }
        var largest = 0.0
        for t in 0...m { largest = max(largest, abs(values[t]) * levels.shrink) }
        let rounding = 4 * largest.ulp * levels.factor
        isStraight = d.allSatisfy { abs($0) <= rounding }
        differences = d
        products = Self.crossProducts(levels: levels, differences: d, maximumLag: maximumLag)
    }

    // MARK: Columns

    private var size: Int { maximumLag + 4 }

    private func index(_ column: Column) -> Int {
        switch column {
        case .one: 0
        case .trend: 1
        case .level: 2
        case .difference(0): size - 1
        case .difference(let lag): 2 + lag
        }
    }

    /// Centred and scaled, so that the three deterministic columns stay well apart.
    private static func trend(_ t: Int, of m: Int) -> Double { (2 * Double(t) - Double(m - 1)) / Double(m) }

    private func value(_ column: Column, at t: Int) -> Double {
        switch column {
        case .one: 1
        case .trend: Self.trend(t, of: differenceCount)
        case .level: levels.storage[t]
        case .difference(let lag): differences[t - lag]
        }
    }

    // MARK: Regressions

    /// The target on `columns`, entering in that order, on the rows `firstRow ..< m`.
    func regress(on columns: [Column], firstRow: Int) -> NestedLeastSquares {
        let order = columns + [.difference(0)]
        let size = order.count
        let rows = differenceCount - firstRow
        var sub = [Double](repeating: 0, count: size * size)
        let indices = order.map(index)
        for r in 0..<size {
            for c in r..<size { sub[r * size + c] = products[indices[r] * self.size + indices[c]] }
        }
        var row = [Double](repeating: 0, count: size)
        for t in firstRow..<maximumLag {
            for c in 0..<size { row[c] = value(order[c], at: t) }
            for r in 0..<size {
                for c in r..<size { sub[r * size + c] += row[r] * row[c] }
            }
        }
        let fast = NestedLeastSquares.factor(crossProducts: sub, size: size)
        if fast.conditioning > Self.conditioningLimit || rows * size > Self.layoutLimit { return fast }
        var layout = [Double](repeating: 0, count: rows * size)
        for (c, column) in order.enumerated() {
            for r in 0..<rows { layout[c * rows + r] = value(column, at: firstRow + r) }
        }
        return NestedLeastSquares.factor(columns: layout, rows: rows, size: size)
    }

    // MARK: Cross products

    private static func crossProducts(levels: CenteredSeries, differences d: [Double], maximumLag L: Int) -> [Double] {
        let m = d.count
        let size = L + 4
        let rows = m - L
        let target = size - 1
        var g = [Double](repeating: 0, count: size * size)
        var levelProducts = [Double](repeating: 0, count: L + 1)
        var core = [Double](repeating: 0, count: L + 1)
        let ones = (sum: Double(rows), trend: (L..<m).reduce(0) { $0 + trend($1, of: m) })
        var level = (sum: 0.0, trend: 0.0, square: 0.0)
        let trendSquare = (L..<m).reduce(0) { $0 + trend($1, of: m) * trend($1, of: m) }
        levels.storage.withUnsafeBufferPointer { x in
            d.withUnsafeBufferPointer { d in
                guard let x = x.baseAddress, let d = d.baseAddress else { return }
                // Level rows L ..< m; lag i = L - k starts at d[k].
                Kernels.laggedProducts(x + L, d, count: rows, lags: L + 1, into: &levelProducts)
                // s in L ..< m - L, s + k < m.
                Kernels.laggedProducts(d + L, d + L, count: m - 2 * L, lags: L + 1, into: &core)
                level.sum = Kernels.sum(x + L, count: rows)
                level.square = Kernels.dot(x + L, x + L, count: rows)
                for t in L..<m { level.trend += x[t] * trend(t, of: m) }
            }
        }
        let sums = lagSums(d, maximumLag: L)
        g[0] = ones.sum
        g[1] = ones.trend
        g[2] = level.sum
        g[size + 1] = trendSquare
        g[size + 2] = level.trend
        g[2 * size + 2] = level.square
        for lag in 0...L {
            let c = lag == 0 ? target : 2 + lag
            g[c] = sums.plain[lag]
            g[size + c] = sums.trend[lag]
            g[2 * size + c] = levelProducts[L - lag]
        }
        fillDifferences(&g, size: size, d, core: core, maximumLag: L)
        for r in 0..<size {
            for c in 0..<r { g[r * size + c] = g[c * size + r] }
        }
        return g
    }

    /// For each lag the sums of d[t - lag] and of trend(t) d[t - lag] over the rows, from one common core.
    private static func lagSums(_ d: [Double], maximumLag L: Int) -> (plain: [Double], trend: [Double]) {
        let m = d.count
        var plain = [Double](repeating: 0, count: L + 1)
        var trended = [Double](repeating: 0, count: L + 1)
        var sum = 0.0
        var weighted = 0.0
        for s in L..<(m - L) {
            sum += d[s]
            weighted += trend(s, of: m) * d[s]
        }
        let step = 2 / Double(m)
        for lag in 0...L {
            var p = sum
            var w = weighted
            for s in (L - lag)..<L {
                p += d[s]
                w += trend(s, of: m) * d[s]
            }
            for s in (m - L)..<(m - lag) {
                p += d[s]
                w += trend(s, of: m) * d[s]
            }
            plain[lag] = p
            trended[lag] = w + step * Double(lag) * p
        }
        return (plain, trended)
    }

    /// Products of the lags i <= j = i + k: the core s in L ..< m - L of d[s] d[s + k], the values before it down to s = L - j, and those
    /// after it up to s = m - j - 1.
    private static func fillDifferences(_ g: inout [Double], size: Int, _ d: [Double], core: [Double], maximumLag L: Int) {
        let m = d.count
        func column(_ lag: Int) -> Int { lag == 0 ? size - 1 : 2 + lag }
        for k in 0...L {
            var before = 0.0
            for j in 1..<max(k, 1) { before += d[L - j] * d[L - j + k] }
            if k > 0 { before += d[L - k] * d[L] }
            var after = [Double](repeating: 0, count: L + 2)
            for j in stride(from: L - 1, through: k, by: -1) { after[j] = after[j + 1] + d[m - j - 1] * d[m - j - 1 + k] }
            for j in k...L {
                if j > k { before += d[L - j] * d[L - j + k] }
                let (r, c) = (column(j - k), column(j))
                g[min(r, c) * size + max(r, c)] = core[k] + before + after[j]
            }
        }
    }
}
