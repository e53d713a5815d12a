import Glibc
import TestSupport
import TimeSeries

@testable import Analytics

/// Seeded series for the detector, at one-minute steps.
struct AnomalySeries {
    static let start: Milliseconds = 1_700_000_000_000
    static let step: Milliseconds = 60_000

    enum Noise: String, CaseIterable {
        case white, autoregressive, persistent, randomWalk, seasonal, logNormal, counts, studentT, constant
    }

    var random: SplitMix64

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    mutating func uniform() -> Double { (Double(random.next() >> 11) + 0.5) / 9_007_199_254_740_992 }
    mutating func normal() -> Double { (-2 * log(uniform())).squareRoot() * cos(2 * .pi * uniform()) }

    mutating func values(_ noise: Noise, count: Int) -> [Double] {
        var state = 0.0
        return (0..<count).map { i in
            switch noise {
            case .white: return 50 + normal()
            case .autoregressive:
                state = 0.5 * state + normal()
                return 50 + state
            case .persistent:
                state = 0.95 * state + normal()
                return 50 + state
            case .randomWalk:
                state += normal()
                return 50 + state
            case .seasonal: return 50 + 10 * sin(2 * .pi * Double(i) / 1_440) + normal()
            case .logNormal: return exp(normal())
            case .counts:
                var product = uniform()
                var k = 0.0
                while product > exp(-3) {
                    product *= uniform()
                    k += 1
                }
                return k
            case .studentT:
                let chi = (0..<5).reduce(0.0) { sum, _ in
                    let z = normal()
                    return sum + z * z
                }
                return 50 + normal() / (chi / 5).squareRoot()
            case .constant: return 50
            }
        }
    }

    /// What a detector says of values at even steps, with one left out wherever it is nil.
    static func events(_ values: [Double?], options: AnomalyOptions = AnomalyOptions()) -> [AnomalyEvent] {
        var detector = AnomalyDetector(options: options)
        var events: [AnomalyEvent] = []
        for (i, value) in values.enumerated() {
            guard let value else { continue }
            if let event = detector.update(time: time(i), value: value) { events.append(event) }
        }
        if let event = detector.finish() { events.append(event) }
        return events
    }

    static func time(_ index: Int) -> Milliseconds { start + Milliseconds(index) * step }
    static func index(_ time: Milliseconds) -> Int { Int((time - start) / step) }

    /// One for each onset: the last event of it.
    static func incidents(_ events: [AnomalyEvent]) -> [AnomalyEvent] {
        var last: [Milliseconds: AnomalyEvent] = [:]
        for event in events { last[event.onset] = event }
        return last.values.sorted { $0.onset < $1.onset }
    }
}
