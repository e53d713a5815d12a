import Glibc

extension WhitenedSpectrum {
    /// The numbers of harmonics that are summed, as powers of two, with the highest fundamental in cycles per record: a faster one
    /// repeats so often that one of its lines stands out.
    private static let sums: [(shift: Int, highest: Double)] = [(2, 64), (3, 32)]

    /// The fundamental (cycles per record) of a cycle none of whose harmonics stands out alone, but the first four or eight together: a
    /// sum of k ordinates is a gamma variable. Ordinates near `lines` count as noise. Nil for noise. Complexity: O(n).
    func weakFundamental(without lines: [SpectralLine], leastCycles: Double, chance: Double) -> Double? {
        var rest = ratio
        for line in lines {
            // As far as its side lobes reach a third of the background.
            let reach = max(1.5, (3 * line.ratio).squareRoot() / .pi)
            let first = max(Int((line.frequency - reach) * oversampling), 0)
            let last = min(Int((line.frequency + reach) * oversampling), rest.count - 1)
            for j in first..<max(last + 1, first) { rest[j] = 1 }
        }
        var best = (frequency: 0.0, excess: 0.0)
        for (shift, top) in Self.sums {
            let order = 1 << shift
            let highest = min(top, Double(count) / 3 / Double(order))
            // Each test is one more, and the grid of fundamentals is finer by the order.
            let penalty = log(Double(Self.sums.count * order))
            let scale = oversampling * Double(order)
            let (first, last) = (Int((leastCycles * scale).rounded(.up)), Int(highest * scale))
            guard first <= last else { continue }
            let least = threshold(6, chance: chance) + penalty
            rest.withUnsafeBufferPointer { rest in
                for position in first...last {
                    var sum = 0.0
                    var harmonic = position + order / 2
                    for _ in 0..<order {
                        sum += rest[harmonic >> shift]
                        harmonic += position
                    }
                    // The tail of a gamma variable is heavier than that of one ordinate.
                    guard sum > least else { continue }
                    let frequency = Double(position) / scale
                    let excess = Self.tail(sum, order: order) - threshold(frequency, chance: chance) - penalty
                    if excess > best.excess { best = (frequency, excess) }
                }
            }
        }
        guard best.excess > 0 else { return nil }
        let harmonics = (1...3).map { best.frequency * Double($0) }
        return isSteady(harmonics, ratio: best.excess) ? best.frequency : nil
    }

    /// -ln P(X > x) for the sum X of `order` exponential variables.
    static func tail(_ x: Double, order: Int) -> Double {
        var term = 1.0
        var sum = 1.0
        for k in 1..<order {
            term *= x / Double(k)
            sum += term
        }
        return x - log(sum)
    }
}
