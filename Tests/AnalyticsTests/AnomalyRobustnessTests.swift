import Glibc
import TestSupport
import Testing
import TimeSeries

@testable import Analytics

@Suite("Anomaly detection: bad input, gaps, checkpoints") struct AnomalyRobustnessTests {
    @Test("NaN, infinity, repeated and earlier times change nothing")
    func passedOver() {
        var series = AnomalySeries(seed: 1)
        let values = series.values(.seasonal, count: 3_000)
        var clean = AnomalyDetector()
        var dirty = AnomalyDetector()
        for (i, value) in values.enumerated() {
            let time = AnomalySeries.time(i)
            let a = clean.update(time: time, value: value)
            let b = dirty.update(time: time, value: value)
            #expect(a == b && clean.score == dirty.score)
            for bad in [Double.nan, .infinity, -.infinity, 1e308] { #expect(dirty.update(time: time + 1, value: bad) == nil) }
            #expect(dirty.update(time: time, value: 1e9) == nil)
            #expect(dirty.update(time: time - 30_000, value: 1e9) == nil)
        }
        #expect(clean.encode() == dirty.encode())
    }

    @Test("a gap is no incident, and closes one that is open")
    func gaps() throws {
        var series = AnomalySeries(seed: 2)
        var values: [Double?] = series.values(.autoregressive, count: 6_000)
        for i in 3_000..<3_400 { values[i] = nil }
        for i in 4_000..<4_009 { values[i] = nil }
        #expect(AnomalySeries.incidents(AnomalySeries.events(values)).isEmpty)
        values[2_999] = 200
        let events = AnomalySeries.events(values)
        #expect(AnomalySeries.incidents(events).count == 1)
        #expect(events.last?.end == AnomalySeries.time(2_999))
        #expect(events.last?.time == AnomalySeries.time(3_400))
    }

    @Test("extreme numbers give finite answers", arguments: [1e-300, 1e-12, 1, 1e9, 1e250])
    func scales(_ scale: Double) {
        var series = AnomalySeries(seed: 5)
        var detector = AnomalyDetector()
        for (i, value) in series.values(.seasonal, count: 2_000).enumerated() {
            let event = detector.update(time: AnomalySeries.time(i), value: value * scale)
            #expect(detector.score >= 0 && detector.score <= 1)
            if let event { #expect(event.score.isFinite && event.expected.isFinite) }
        }
    }

    @Test("the answer does not depend on the unit", arguments: [1e-6, 3, 1e6])
    func unit(_ factor: Double) {
        var series = AnomalySeries(seed: 6)
        var values = series.values(.seasonal, count: 4_000)
        values[3_000] += 40
        let plain = AnomalySeries.incidents(AnomalySeries.events(values))
        let scaled = AnomalySeries.incidents(AnomalySeries.events(values.map { $0 * factor }))
        #expect(plain.map(\.onset) == scaled.map(\.onset))
        #expect(plain.map(\.cause) == scaled.map(\.cause))
    }

    @Test("small noise on a large level is seen")
    func largeLevel() {
        var series = AnomalySeries(seed: 7)
        var values = series.values(.white, count: 3_000).map { 1e9 + 1e-3 * $0 }
        values[2_500] += 0.05
        let onsets = AnomalySeries.incidents(AnomalySeries.events(values)).map { AnomalySeries.index($0.onset) }
        #expect(onsets.count == 1 && onsets.allSatisfy { (2_495...2_500).contains($0) }, "\(onsets)")
    }

    @Test("a decoded detector goes on exactly where the encoded one stopped", arguments: [0, 1, 7, 500, 2_999, 3_003, 3_050])
    func checkpoint(_ cut: Int) throws {
        var series = AnomalySeries(seed: 9)
        var values = series.values(.seasonal, count: 4_000)
        for i in 3_000..<3_010 { values[i] += 20 }
        var whole = AnomalyDetector()
        var resumed = AnomalyDetector()
        var opened = 0
        for (i, value) in values.enumerated() {
            if i == cut { resumed = try #require(AnomalyDetector(decoding: resumed.encode())) }
            let event = whole.update(time: AnomalySeries.time(i), value: value)
            #expect(resumed.update(time: AnomalySeries.time(i), value: value) == event, "cut at \(cut), sample \(i)")
            #expect(resumed.score == whole.score)
            if event != nil { opened += 1 }
        }
        #expect(opened >= 2)
        #expect(whole.encode() == resumed.encode())
    }

    @Test("a checkpoint is small, and a damaged one is refused or harmless")
    func damagedCheckpoints() {
        var series = AnomalySeries(seed: 10)
        var detector = AnomalyDetector()
        for (i, value) in series.values(.seasonal, count: 3_000).enumerated() {
            _ = detector.update(time: AnomalySeries.time(i), value: value)
        }
        let bytes = detector.encode()
        #expect(bytes.count <= 1_300)
        #expect(AnomalyDetector(decoding: []) == nil)
        #expect(AnomalyDetector(decoding: [9] + bytes.dropFirst()) == nil)
        for length in [1, 100, bytes.count - 1] { #expect(AnomalyDetector(decoding: Array(bytes.prefix(length))) == nil) }
        #expect(AnomalyDetector(decoding: bytes + [0]) == nil)
        var random = SplitMix64(seed: 11)
        for _ in 0..<2_000 {
            var damaged = bytes
            damaged[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            guard var decoded = AnomalyDetector(decoding: damaged) else { continue }
            for i in 3_000..<3_010 {
                _ = decoded.update(time: AnomalySeries.time(i), value: 60)
                #expect(decoded.score >= 0 && decoded.score <= 1)
            }
        }
    }

    @Test("the tail keeps its greatest values in order and forgets by halves")
    func tails() {
        var random = SplitMix64(seed: 12)
        var bank = TailBank(tails: 2)
        var seen: [Float] = []
        for i in 0..<Int(TailBank.forgetting) - 1 {
            let value = Float(random.next() % 100_000)
            seen.append(value)
            _ = bank.judge(1, Double(value), scale: 1)
            if i % 4_097 == 0 || i < 20 {
                let top = Array(seen.sorted(by: >).prefix(TailBank.depth))
                #expect(Array(bank.peaks[TailBank.depth..<(TailBank.depth + top.count)]) == top)
            }
        }
        #expect(bank.filled == [0, UInt8(TailBank.depth)])
        // Every second peak stays, and this value, for want of greater ones.
        _ = bank.judge(1, 0, scale: 1)
        #expect(bank.counts[1] == TailBank.forgetting / 2 && Int(bank.filled[1]) == TailBank.depth / 2 + 1)
    }

    @Test("one wild sample does not hide what comes later", arguments: [1e3, 1e6, 0x1p64])
    func wildSample(_ wild: Double) {
        var series = AnomalySeries(seed: 14)
        var values: [Double?] = series.values(.persistent, count: 120_000)
        values[10_000] = wild
        // Each 30 samples, some fifteen deviations high.
        for onset in [75_000, 110_000] { for i in onset..<(onset + 30) { values[i] = (values[i] ?? 0) + 50 } }
        let found = AnomalySeries.incidents(AnomalySeries.events(values)).map(\.onset)
        for onset in [75_000, 110_000] {
            let near = AnomalySeries.time(onset - 1)...AnomalySeries.time(onset + 30)
            #expect(found.contains { near.contains($0) }, "after \(wild): \(found)")
        }
    }

    @Test("values that no profile could hold are passed over, and the state stays readable")
    func farFromTheFirst() throws {
        var detector = AnomalyDetector()
        for i in 0..<5_000 {
            let value = i % 2 == 0 ? 1.0 : i % 3 == 0 ? 3e39 : -9e37
            let event = detector.update(time: AnomalySeries.time(i), value: value)
            #expect(detector.score.isFinite)
            if let event { #expect(event.expected.isFinite) }
        }
        #expect(try #require(AnomalyDetector(decoding: detector.encode())) == detector)
    }

    @Test("the surprise of an exponential tail is its true one", arguments: [1, 2, 3] as [UInt64])
    func calibration(_ seed: UInt64) {
        // Over 30,000 values, surprises above 3 should be about one in a thousand.
        var series = AnomalySeries(seed: seed)
        var bank = TailBank(tails: 1)
        var above = 0
        for _ in 0..<30_000 where bank.judge(0, -log(series.uniform()), scale: 0.01) > 3 { above += 1 }
        #expect((8...70).contains(above), "seed \(seed): \(above), expected 30")
    }

    @Test("peaks of one run count once for as long as is asked")
    func runs() {
        var random = SplitMix64(seed: 13)
        var once = TailBank(tails: 1)
        var each = TailBank(tails: 1)
        for _ in 0..<2_000 {
            let value = Double(random.next() % 1_000)
            _ = once.judge(0, value, scale: 1, runLength: 60)
            _ = each.judge(0, value, scale: 1)
        }
        // A ramp: against its own beginning it is nothing, against what was before it is.
        var greatest = (once: 0.0, each: 0.0)
        for i in 0..<60 {
            let value = 1_000 + 20 * Double(i)
            greatest.once = max(greatest.once, once.judge(0, value, scale: 1, runLength: 60))
            greatest.each = max(greatest.each, each.judge(0, value, scale: 1))
        }
        #expect(greatest.once > greatest.each + 0.5, "\(greatest)")
        #expect(once.peaks.filter { $0 > 1_000 }.count == 1)
    }
}
