/// A cycle that was found in a series.
package struct SeasonalPeriod: Sendable, Equatable {
    /// In samples.
    package let period: Double
    /// Share of the variance that the cycle explains, 0 to 1.
    package let strength: Double

    package init(period: Double, strength: Double) {
        self.period = period
        self.strength = strength
    }
}
