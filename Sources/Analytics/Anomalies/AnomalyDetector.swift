import Glibc
import TimeSeries

/// Streaming detection of anomalies in one series: about a kilobyte of state, no allocation and well under 5 us a sample.
///
/// Seven statistics of the series (the value, the residual of a one-step forecast, the size of its steps, its level, its drift, its
/// distance to its daily profile, the time since it changed) are watched, on both sides where they have two. The p-value of each is that
/// of its extreme-value tail over everything seen (`TailBank`): conformal ranks in the body, a generalised Pareto distribution beyond.
/// Means over several lengths are the likelihood smoothing of what no single sample shows. The most surprising of the thirteen counts.
///
/// One incident is one anomaly: it begins with its first suspicious sample, lasts until `quietSamples` unsuspicious ones have come, and
/// the next must be more surprising than the last, ever less so as the refractory period passes. A new level that stays becomes the usual
/// one and ends the incident.
///
/// - Cold start: a p-value below 1/n^2 is never claimed from n samples, so no incident can open before `samplesNeeded`. The daily profile
///   speaks from the second day on.
/// - NaN, infinity and what is 1e38 or more, or as far from the first sample, are passed over (the tails are single-precision), and so is a sample
///   that is not later than the last.
/// - After a gap (more than 8 intervals) residuals and steps are not judged for one sample; an open incident is closed.
/// - Counters are to be given as rates, so that a reset is no jump.
/// - A constant series gives no incident; its first change does.
package struct AnomalyDetector: Sendable, Equatable {
    package static let gapIntervals = 8.0
    private static let largest = 1e38

    package let options: AnomalyOptions
    var tails = TailBank(tails: AnomalyCause.allCases.count)
    var statistics = AnomalyStatistics()
    var incident = IncidentState()
    var time: Milliseconds = 0
    /// Usual time between samples, milliseconds: a running median.
    var interval = 0.0
    /// Refractory state of the score.
    var held = 0.0
    var sinceHeld = 0.0

    /// Score of the last sample given, 0-1: its surprise / 10 where it is news, 0 within what the refractory period covers. Independent
    /// of any threshold.
    package private(set) var score = 0.0

    package init(options: AnomalyOptions = AnomalyOptions()) { self.options = options }

    /// Samples taken in.
    package var samples: Int { Int(statistics.count) }
    /// The surprise, -log10 p, that opens an incident at the present interval.
    package var threshold: Double { options.threshold(interval: interval) }
    /// Samples before which no incident can open.
    package var samplesNeeded: Int { Int(pow(10, threshold / TailBank.ceilingPerLogCount).rounded(.up)) }

    /// Takes one sample in time order: milliseconds since the epoch, any unit. What became of the series' incident, if anything did: it
    /// opened, became more surprising by the margin, or ended.
    package mutating func update(time now: Milliseconds, value: Double) -> AnomalyEvent? {
        score = 0
        guard value.isFinite, abs(value) < Self.largest, abs(value - statistics.origin) < Self.largest else { return nil }
        let bin = DailyProfile.bin(now)
        guard statistics.count > 0 else {
            statistics.start(value, bin: bin)
            time = now
            return nil
        }
        guard now > time else { return nil }
        let distance = Double(now - time)
        let afterGap = interval > 0 && distance > Self.gapIntervals * interval
        learnInterval(distance)
        let expected = statistics.forecast(bin: bin)
        let (surprise, cause) = statistics.take(value, bin: bin, expected: expected, afterGap: afterGap, &tails)
        time = now
        sinceHeld += 1
        if surprise > 2, surprise > refractory(held, sinceHeld) {
            held = surprise
            sinceHeld = 0
            score = surprise / TailBank.ceiling
        }
        if afterGap, let ended = incident.end(at: now) { return ended }
        return follow(surprise, cause, expected: expected, seen: value)
    }

    /// Ends an open incident, for a series that has ended.
    package mutating func finish() -> AnomalyEvent? { incident.end(at: time) }

    private mutating func follow(_ surprise: Double, _ cause: AnomalyCause, expected: Double, seen: Double) -> AnomalyEvent? {
        incident.countSample()
        // Most samples end here: quiet, and nothing open.
        if surprise < 2, !incident.isOpen { return nil }
        let threshold = threshold
        let staysFlat = incident.isOpen && incident.cause == .flat && statistics.unchanged > 0
        let isSuspicious = surprise >= 0.7 * threshold || staysFlat
        if isSuspicious { incident.suspect(time, within: 5) }
        let isPeak = surprise >= threshold && surprise > refractory(incident.surprise, incident.since)
        let isGreater = incident.isOpen && surprise >= incident.surprise + options.refractoryMargin
        if isPeak, !incident.isOpen, cause == .flat {
            // A flat line is seen late but its beginning is known.
            incident.suspectSince = min(incident.suspectSince, time - Milliseconds(statistics.unchanged * interval))
        }
        if (isPeak && !incident.isOpen) || isGreater {
            return incident.raise(surprise, cause, time: time, expected: expected, seen: seen)
        }
        guard incident.isOpen, Int(incident.quiet) >= options.quietSamples else { return nil }
        return incident.end(at: time)
    }

    private func refractory(_ surprise: Double, _ samples: Double) -> Double {
        surprise == 0 ? 0 : (surprise + options.refractoryMargin) * exp(-samples / options.refractorySamples)
    }

    /// A running median: two per cent towards each distance.
    private mutating func learnInterval(_ distance: Double) {
        if interval == 0 {
            interval = distance
        } else {
            interval *= distance > interval * 1.01 ? 1.02 : distance < interval * 0.99 ? 1 / 1.02 : 1
        }
    }
}
