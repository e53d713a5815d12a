import Glibc
import Testing
import TimeSeries

@testable import Analytics

@Suite("Anomaly detection") struct AnomalyDetectorTests {
    /// What happens to a series at sample 4,000 of 6,000.
    enum Incident: String, CaseIterable, CustomTestStringConvertible {
        case spike, dip, levelShift, levelShiftDown, burst, variance, flatLine, drift

        var testDescription: String { rawValue }

        func apply(to values: inout [Double], at onset: Int, _ series: inout AnomalySeries) {
            switch self {
            case .spike: values[onset] += 15
            case .dip: values[onset] -= 15
            case .levelShift: for i in onset..<values.count { values[i] += 10 }
            case .levelShiftDown: for i in onset..<values.count { values[i] -= 10 }
            case .burst: for i in stride(from: onset, to: onset + 40, by: 3) { values[i] += 12 + 2 * series.uniform() }
            case .variance: for i in onset..<values.count { values[i] += 5 * series.normal() }
            case .flatLine: for i in onset..<(onset + 300) { values[i] = values[onset] }
            case .drift: for i in onset..<values.count { values[i] += min(Double(i - onset) * 0.2, 30) }
            }
        }

        var causes: Set<AnomalyCause> {
            switch self {
            case .spike, .burst: [.highValue, .jumpUp, .levelUp, .restless, .aboveDaily]
            case .dip: [.lowValue, .jumpDown, .restless]
            case .levelShift: [.highValue, .jumpUp, .levelUp, .aboveDaily, .driftUp]
            case .levelShiftDown: [.lowValue, .jumpDown, .levelDown, .belowDaily, .driftDown]
            case .variance: Set(AnomalyCause.allCases)
            case .flatLine: [.flat, .calm]
            case .drift: [.highValue, .levelUp, .aboveDaily, .driftUp, .jumpUp]
            }
        }
    }

    @Test("one incident is one anomaly, and its onset is right", arguments: Incident.allCases, [1, 2, 3, 4, 5] as [UInt64])
    func oneIncident(_ incident: Incident, seed: UInt64) throws {
        var series = AnomalySeries(seed: seed)
        var values = series.values(.white, count: 6_000)
        incident.apply(to: &values, at: 4_000, &series)
        let incidents = AnomalySeries.incidents(AnomalySeries.events(values))
        // Chance may give one elsewhere; it is counted in `falseIncidents`.
        let near = incidents.filter { (3_990..<4_400).contains(AnomalySeries.index($0.onset)) }
        try #require(near.count == 1, "seed \(seed): \(incidents.map { (AnomalySeries.index($0.onset), $0.cause.name) })")
        #expect(incident.causes.contains(near[0].cause), "seed \(seed): \(near[0].cause.name)")
        let delay = incident == .drift ? 200 : 15
        #expect(AnomalySeries.index(near[0].onset) <= 4_000 + delay, "seed \(seed)")
        #expect((0.45...1).contains(near[0].score))
        let end = try #require(near[0].end)
        #expect(end >= near[0].onset)
    }

    @Test("an event says what was expected and what was seen")
    func expectedAndSeen() throws {
        var series = AnomalySeries(seed: 8)
        var values = series.values(.white, count: 3_000)
        values[2_500] = 90
        let events = AnomalySeries.events(values).filter { AnomalySeries.index($0.onset) == 2_500 }
        let opened = try #require(events.first)
        #expect(opened.end == nil && opened.time == AnomalySeries.time(2_500))
        #expect(opened.seen == 90)
        #expect(abs(opened.expected - 50) < 4)
        // The short mean is out of the ordinary for a while; closed once it has been quiet for long enough.
        let ended = try #require(events.last)
        let end = try #require(ended.end)
        #expect((2_500...2_520).contains(AnomalySeries.index(end)))
        #expect(ended.time == end + 60 * AnomalySeries.step)
    }

    /// Twenty series-weeks of each kind of noise; the default aims at less than one incident a series-week, heavy tails included.
    @Test("false incidents stay below the stated rate", arguments: AnomalySeries.Noise.allCases)
    func falseIncidents(_ noise: AnomalySeries.Noise) {
        var count = 0
        let week = 10_080
        for seed in 1...10 as ClosedRange<UInt64> {
            var series = AnomalySeries(seed: seed)
            count += AnomalySeries.incidents(AnomalySeries.events(series.values(noise, count: 2 * week))).count
        }
        #expect(Double(count) / 20 <= (noise == .constant ? 0 : 1), "\(noise): \(count) incidents in 20 series-weeks, seeds 1-10")
    }

    @Test("the rate asked for is followed")
    func rate() {
        let strict = AnomalyOptions(falseIncidentsPerWeek: 0.1)
        let loose = AnomalyOptions(falseIncidentsPerWeek: 50)
        #expect(strict.threshold(interval: 60_000) > loose.threshold(interval: 60_000))
        #expect(strict.threshold(interval: 15_000) > strict.threshold(interval: 300_000))
        var series = AnomalySeries(seed: 3)
        let values = series.values(.white, count: 20_160).map(Optional.some)
        #expect(AnomalySeries.incidents(AnomalySeries.events(values, options: loose)).count > 5)
        #expect(AnomalySeries.incidents(AnomalySeries.events(values, options: strict)).count <= 1)
    }

    @Test("a cold start opens no incident before enough samples are known")
    func coldStart() {
        for jump in [1, 2, 10, 50, 300] {
            var detector = AnomalyDetector()
            for i in 0..<jump { #expect(detector.update(time: AnomalySeries.time(i), value: Double(i % 3)) == nil) }
            let event = detector.update(time: AnomalySeries.time(jump), value: 1e6)
            #expect(event == nil, "after \(jump) samples; \(detector.samplesNeeded) are needed")
        }
        var detector = AnomalyDetector()
        for i in 0..<600 { _ = detector.update(time: AnomalySeries.time(i), value: Double(i % 3)) }
        #expect(detector.samplesNeeded < 600)
        #expect(detector.update(time: AnomalySeries.time(600), value: 1e6) != nil)
    }

    @Test("the first change of a constant series is an incident")
    func constant() throws {
        var values = [Double](repeating: 7, count: 2_000)
        values[1_500] = 7.5
        let incidents = AnomalySeries.incidents(AnomalySeries.events(values))
        #expect(incidents.map { AnomalySeries.index($0.onset) } == [1_500])
        #expect(incidents.first?.cause == .highValue)
    }

    @Test("a spike that comes every day surprises no more")
    func habit() {
        var series = AnomalySeries(seed: 4)
        var values = series.values(.white, count: 1_440 * 12)
        for day in 1..<12 { values[day * 1_440 + 600] += 30 }
        let late = AnomalySeries.incidents(AnomalySeries.events(values)).filter { AnomalySeries.index($0.onset) > 1_440 * 5 }
        #expect(late.count <= 1, "\(late.map { AnomalySeries.index($0.onset) })")
    }
}
