import Foundation
import TestSupport
import Testing
import TimeSeries

@testable import Serving

@Suite("Timestamps")
struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (noon, "2026-03-01T12:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (1_704_067_199_250, "2023-12-31T23:59:59.250Z"),
        ] as [(Milliseconds, String)])
    func formats(time: Milliseconds, text: String) {
        #expect(Timestamps.format(time) == text)
        #expect(Timestamps.parse(text) == time)
    }

    @Test(
        arguments: [
            ("1772366400000", noon), ("1772366400", noon), ("1772366400.25", noon + 250), ("2026-03-01T12:00:00Z", noon),
            ("2026-03-01t12:00:00z", noon), ("2026-03-01T14:30:00+02:30", noon), ("2026-03-01T07:00:00.5-05:00", noon + 500),
            ("2026-03-01 12:00:00Z", nil), ("0", 0), ("2026-03-01T12:00:00.123456Z", noon + 123),
        ] as [(String, Milliseconds?)])
    func parses(text: String, time: Milliseconds?) { #expect(Timestamps.parse(text) == time) }

    @Test(arguments: [
        "", "now", "nan", "inf", "1e3", "-", "2026-03-01", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-03-01T24:00:00Z",
        "2026-03-01T12:00:00", "2026-03-01T12:00:00+2:30", "2026-03-01T12:00:00.Z", "2026-03-01T12:00:00Zx", "9999999999999999999",
        "99999999999999999", "2026-03-01T12:00", "0x10",
    ])
    func refuses(text: String) { #expect(Timestamps.parse(text) == nil) }

    @Test func roundTripsEverywhere() {
        let seed: UInt64 = 7
        var generator = SplitMix64(seed: seed)
        for _ in 0..<5000 {
            let time = Milliseconds.random(in: -62_135_596_800_000...Timestamps.latest, using: &generator)
            #expect(Timestamps.parse(Timestamps.format(time)) == time, "seed \(seed), time \(time)")
        }
    }

    @Test func agreesWithFoundation() throws {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        var generator = SplitMix64(seed: 11)
        for _ in 0..<300 {
            // Whole seconds: Foundation cuts what Double makes of a fraction.
            let time = Milliseconds.random(in: 0...4_102_444_800, using: &generator) * 1000
            #expect(Timestamps.format(time) == Date(timeIntervalSince1970: Double(time) / 1000).formatted(style))
        }
    }

    @Test(
        arguments: [(3_600_000, "1h"), (43_200_000, "12h"), (90_000, "90s"), (900_000, "15m"), (250, "250ms"), (86_400_000, "24h")]
            as [(Milliseconds, String)])
    func durations(length: Milliseconds, text: String) { #expect(length.durationText == text) }
}
