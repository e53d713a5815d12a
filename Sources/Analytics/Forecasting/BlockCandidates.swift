/// Maximum, minimum and mean of the blocks of `horizon` values that end at an origin, one horizon before it, two before it, ...
struct PastBlocks {
    /// Maximum, minimum, mean, 0.
    typealias Row = SIMD4<Double>

    private let rows: [Row]
    private let first: Int
    private let step: Int
    private let horizon: Int

    /// The blocks of `depth` horizons before each origin. Complexity: O(horizon) a block; origins share their blocks.
    init(_ values: [Double], origins: ForecastOrigins, horizon: Int, depth: Int) {
        let step = origins.count == 1 ? horizon : Self.commonDivisor(origins.stride, horizon)
        let first = origins.first - (depth - 1) * horizon
        (self.first, self.step, self.horizon) = (first, step, horizon)
        rows = values.withUnsafeBufferPointer { x in
            guard let x = x.baseAddress else { return [] }
            return stride(from: first, through: origins.last, by: step).map { end in
                // Before the start of the series, the oldest block there is: at worst the part of one.
                let end = max(end, min(horizon, origins.first))
                let length = min(horizon, end)
                let block = BlockStatistics(x + (end - length), count: length)
                return Row(block.max, block.min, block.avg, 0)
            }
        }
    }

    /// The block that ends `back` horizons before `origin`.
    subscript(origin: Int, back: Int) -> Row { rows[(origin - back * horizon - first) / step] }

    private static func commonDivisor(_ a: Int, _ b: Int) -> Int {
        var (a, b) = (a, b)
        while b > 0 { (a, b) = (b, a % b) }
        return a
    }
}

/// One forecaster of the horizon's maximum, minimum and mean that does not pass through a path: the next ten minutes are like the last.
///
/// The maximum of a mean path lies below the mean maximum; past blocks have the right one.
enum BlockCandidate: CaseIterable {
    case last
    case meanOfEight
    case medianOfEight

    /// Blocks that they look back.
    static let depth = 8

    func forecast(_ blocks: PastBlocks, origin: Int) -> BlockStatistics {
        let row =
            switch self {
            case .last: blocks[origin, 0]
            case .meanOfEight: (0..<8).reduce(.zero) { $0 + blocks[origin, $1] } / 8
            case .medianOfEight: Self.median(blocks, origin)
            }
        return BlockStatistics(max: row[0], min: row[1], avg: row[2])
    }

    /// The mean of the middle two, of the three statistics side by side (odd-even transposition sort: no branch depends on a value).
    private static func median(_ blocks: PastBlocks, _ origin: Int) -> PastBlocks.Row {
        withUnsafeTemporaryAllocation(of: PastBlocks.Row.self, capacity: 8) { sorted in
            for back in 0..<8 { sorted.initializeElement(at: back, to: blocks[origin, back]) }
            for round in 0..<8 {
                var k = round % 2
                while k < 7 {
                    let (a, b) = (sorted[k], sorted[k + 1])
                    sorted[k] = a.replacing(with: b, where: b .< a)
                    sorted[k + 1] = b.replacing(with: a, where: b .< a)
                    k += 2
                }
            }
            return (sorted[3] + sorted[4]) / 2
        }
    }
}
