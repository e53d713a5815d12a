import TimeSeries

/// How anomalies are told from chance. Lengths are in samples, so that a series of any step is treated alike.
package struct AnomalyOptions: Sendable, Equatable {
    /// Incidents that a week of ordinary samples of one series may give; with the step it fixes the surprise an incident needs. The rate is
    /// aimed at, not guaranteed: heavy tails and unit roots come near it, white noise stays below.
    package var falseIncidentsPerWeek: Double
    /// An incident ends with its last suspicious sample once this many unsuspicious ones have come.
    package var quietSamples: Int
    /// Refractory period: the surprise that the next incident must exceed falls by 1/e in this many samples.
    package var refractorySamples: Double
    /// How much greater than the last, in powers of ten, a further surprise must be at once.
    package var refractoryMargin: Double

    package init(
        falseIncidentsPerWeek: Double = 1, quietSamples: Int = 60, refractorySamples: Double = 300, refractoryMargin: Double = 0.5
    ) {
        self.falseIncidentsPerWeek = falseIncidentsPerWeek
        self.quietSamples = quietSamples
        self.refractorySamples = refractorySamples
        self.refractoryMargin = refractoryMargin
    }

    /// The surprise, -log10 p, from which samples this far apart make an incident. Thirteen tails are looked at, and their exceedances
    /// come in groups: the bound over the number of samples is divided by `tests`, measured on noise of several kinds.
    package func threshold(interval: Double) -> Double {
        let samples = Swift.max(1, Self.week / Swift.max(interval, 1))
        return Swift.min(Swift.max(logarithm10(samples * Self.tests / Swift.max(falseIncidentsPerWeek, 1e-6)), 3), 9.5)
    }

    static let week = 7.0 * 86_400_000
    static let tests = 20.0
}

/// What an incident is seen by.
package enum AnomalyCause: UInt8, Sendable, CaseIterable {
    /// The value itself, beyond or near the greatest or the smallest so far.
    case highValue, lowValue
    /// The one-step residual of the forecast.
    case jumpUp, jumpDown
    /// The mean of some 20 samples against that of some 400.
    case levelUp, levelDown
    /// The size of the steps between samples against its usual size: a burst, a greater variance, or a smaller one.
    case restless, calm
    /// The mean residual, over some 20 samples, from the daily profile.
    case aboveDaily, belowDaily
    /// The mean of some 140 samples against that of some 400.
    case driftUp, driftDown
    /// The same value again and again.
    case flat

    /// The name on the wire.
    package var name: String {
        switch self {
        case .highValue: "high value"
        case .lowValue: "low value"
        case .jumpUp: "jump up"
        case .jumpDown: "jump down"
        case .levelUp: "level up"
        case .levelDown: "level down"
        case .restless: "restless"
        case .calm: "calm"
        case .aboveDaily: "above daily profile"
        case .belowDaily: "below daily profile"
        case .driftUp: "drift up"
        case .driftDown: "drift down"
        case .flat: "flat"
        }
    }
}

/// What became of an incident. Onset and series are its key: a later event with the same onset replaces the earlier.
package struct AnomalyEvent: Sendable, Equatable {
    /// Time of the first suspicious sample.
    package var onset: Milliseconds
    /// Time of the last suspicious sample; nil while the incident lasts.
    package var end: Milliseconds?
    /// Time of the sample that brought this event.
    package var time: Milliseconds
    /// -log10 p / 10 of the most surprising sample, at most 1.
    package var score: Double
    /// The one-step forecast of the most surprising sample, and the sample.
    package var expected: Double
    package var seen: Double
    package var cause: AnomalyCause
}
