/// A cycle that was found in a series.
package struct SeasonalPeriod: Sendable, Equatable {
    /// In samples.
    package let period: Double
    /// Var(cycle) / (Var(cycle) + Var(rest)), 0 to 1; the rest is what remains after drift slower than the period and the shorter cycles
    /// are taken away, without its outliers.
    package let strength: Double
    /// One cycle, round(period) values in the unit of the series with mean zero; value j belongs to the samples t with
    /// floor(j) <= (t mod period) < j + 1, t counted from the first sample. The components of several cycles add up.
    package let component: [Double]

    package init(period: Double, strength: Double, component: [Double] = []) {
        self.period = period
        self.strength = strength
        self.component = component
    }
}
