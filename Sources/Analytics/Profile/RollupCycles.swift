import Glibc
import TimeSeries

/// A cycle with its place in time.
package struct TimedCycle: Sendable, Equatable {
    /// In steps.
    package let cycle: SeasonalPeriod
    /// Milliseconds between the values of the cycle's component.
    package let step: Milliseconds
    /// When the component's first value begins; nil where times are not known.
    package let start: Milliseconds?

    package init(cycle: SeasonalPeriod, step: Milliseconds, start: Milliseconds?) {
        self.cycle = cycle
        self.step = step
        self.start = start
    }

    /// Milliseconds.
    package var period: Double { cycle.period * Double(step) }
}

extension Rollup {
    /// The cycles in the means that are too long for the samples at hand: those longer than `least` milliseconds, days and weeks first of all.
    ///
    /// - Parameters:
    ///   - slot: length of a slot, milliseconds.
    ///   - fast: the cycles found in the samples. Means of half hours turn one of 31 minutes into one of 15 hours, much weaker; what they
    ///     explain in this way is left out.
    /// - Returns: strongest first; a cycle is seen at least four times (`seasonalPeriods(of:)`), so a day needs four days, a week four
    ///   weeks. Empty below 64 slots. Complexity: O(n log n), 20 us for a week, 70 us for four.
    package func cycles(longerThan least: Double, slot: Milliseconds, fast: [TimedCycle] = [], limit: Int = 3) -> [TimedCycle] {
        guard slot > 0, count >= SeasonalityDetection.leastCount, let (values, start) = evenMeans() else { return [] }
        let calendar = [86_400_000, 7 * 86_400_000].map { Double($0) / Double(slot) }
        let found = seasonalPeriods(of: values.span, limit: limit + 1, calendar: calendar).filter { cycle in
            let period = cycle.period * Double(slot)
            if period <= least || fast.contains(where: { abs($0.period / period - 1) < 0.03 }) { return false }
            return !fast.contains { Alias(of: $0, slot: slot).explains(cycle, count: values.count) }
        }
        return found.prefix(limit).map { TimedCycle(cycle: $0, step: slot, start: start * slot) }
    }
}

/// What a fast cycle leaves in means over slots that are longer than half of it.
private struct Alias {
    /// In slots.
    private let period: Double
    private let component: [Double]

    init(of fast: TimedCycle, slot: Milliseconds) {
        period = fast.period / Double(slot)
        component = fast.cycle.component
    }

    /// Whether harmonics that fold down to the frequency of `slow` bring at least half of its deviation.
    func explains(_ slow: SeasonalPeriod, count: Int) -> Bool {
        var square = 0.0
        for order in 1...8 where 2 * order <= component.count {
            let frequency = Double(order) / period
            // Slower ones show as what they are.
            if frequency <= 0.5 { continue }
            // A period is known to a fifth of a percent.
            let tolerance = 2 / Double(count) + 0.002 * frequency
            guard abs(abs(frequency - frequency.rounded()) - 1 / slow.period) < tolerance else { continue }
            let attenuation = sin(.pi * frequency) / (.pi * frequency)
            square += power(order) * attenuation * attenuation
        }
        let own = slow.component.reduce(0) { $0 + $1 * $1 } / Double(max(slow.component.count, 1))
        return square >= 0.25 * own
    }

    /// The variance of one harmonic of the component.
    private func power(_ order: Int) -> Double {
        let turn = 2 * Double.pi * Double(order) / Double(component.count)
        var (real, imaginary) = (0.0, 0.0)
        for (j, value) in component.enumerated() {
            real += value * cos(turn * Double(j))
            imaginary += value * sin(turn * Double(j))
        }
        let scale = Double(component.count)
        return 2 * (real / scale * (real / scale) + imaginary / scale * (imaginary / scale))
    }
}
