import Foundation
import Testing
import TimeSeries

@testable import Flows

private func read(_ form: FlowTime.Form, _ value: FieldValue, zone: String = "UTC") throws -> Milliseconds? {
    var reader = try TimeReader(FlowTime(field: "t", form: form, zone: zone))
    return reader.read(value)
}

@Suite struct FlowTimeTests {
    @Test(
        arguments: [
            ("2026-01-31T12:34:56Z", 1_769_862_896_000), ("2026-01-31T12:34:56.789+01:00", 1_769_859_296_789),
            ("2026-01-31 12:34:56,5-0530", 1_769_882_696_500), ("2026-01-31T12:34:56.123456789z", 1_769_862_896_123),
            ("2026-01-31", 1_769_817_600_000), ("2026-01-31 12:34", 1_769_862_840_000), ("2024-02-29T00:00:00 +02", 1_709_157_600_000),
        ] as [(String, Milliseconds)])
    func iso(text: String, time: Milliseconds) throws { #expect(try read(.iso, .text(text)) == time) }

    @Test(arguments: [
        "", "2026", "2026-02-29", "2026-13-01", "2026-00-10", "2026-01-31T24:00", "2026-01-31T12:60", "2026-01-31T12:34:",
        "2026-01-31T12:34:5",
        "2026-01-31T12:34:56.", "2026-01-31T12:34:56+1", "2026-01-31T12:34:56Z ", "26-01-31", "2026/01/31", "1969-12-31", "２０26-01-31",
    ])
    func noISO(text: String) throws { #expect(try read(.iso, .text(text)) == nil) }

    @Test func epochs() throws {
        #expect(try read(.epochSeconds, .integer(1_700_000_000)) == 1_700_000_000_000)
        #expect(try read(.epochSeconds, .text("1700000000.25")) == 1_700_000_000_250)
        #expect(try read(.epochMilliseconds, .integer(1_700_000_000_001)) == 1_700_000_000_001)
        #expect(try read(.epochMilliseconds, .text("1700000000001")) == 1_700_000_000_001)
        for value: FieldValue in [
            .integer(.max), .integer(-5), .integer(0), .number(1e300), .bool(true), .text("soon"), .missing, .compound,
        ] {
            #expect(try read(.epochSeconds, value) == nil, "\(value)")
        }
        #expect(try read(.iso, .integer(1_700_000_000)) == nil)
    }

    @Test(
        arguments: [
            ("2026-01-15 12:00:00", 1_768_474_800_000), ("2026-07-15T12:00", 1_784_109_600_000),
            // 02:30 is skipped on March 29, and comes twice on October 25.
            ("2026-03-29 02:30:00", 1_774_747_800_000), ("2026-10-25 02:30:00", 1_792_888_200_000),
            ("2026-10-25 03:00:00", 1_792_893_600_000), ("2026-03-29 03:00:00", 1_774_746_000_000),
        ] as [(String, Milliseconds)])
    func local(text: String, time: Milliseconds) throws {
        #expect(try read(.local, .text(text), zone: "Europe/Rome") == time)
        #expect(try read(.iso, .text(text), zone: "Europe/Rome") == time)
        #expect(try read(.local, .text(text + "Z"), zone: "Europe/Rome") == nil)
    }

    /// Every half hour of some years of some zones, there and back.
    @Test(arguments: ["Europe/Rome", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo"])
    func localAgainstFoundation(zone: String) throws {
        var local = try #require(LocalZone(zone))
        let foundation = try #require(TimeZone(identifier: zone))
        var last: Milliseconds = .min
        for i in 0..<(3 * 365 * 48) {
            let utc: Milliseconds = 1_672_531_200_000 + Int64(i) * 1_800_000
            let clock = utc + Int64(foundation.secondsFromGMT(for: Date(timeIntervalSince1970: Double(utc) / 1_000))) * 1_000
            let found = local.utc(clock)
            // A clock time that comes twice gives the first.
            if clock <= last { #expect(found < utc) } else { #expect(found == utc, "\(zone) \(utc)") }
            last = max(last, clock)
        }
    }

    @Test func theTimeOfARecord() throws {
        var definition = FlowDefinition(name: "f", source: .http, values: [.init(metric: "m", field: "v")])
        definition.time = FlowTime(field: "at", form: .epochSeconds)
        definition.transforms = [.rename(from: "at", to: "was")]
        var mapper = try FlowMapper(definition)
        let now: Milliseconds = 1_700_000_000_000
        func map(_ json: String) -> FlowOutcome { mapper.map(Array(json.utf8), arrival: now) }
        #expect(map(#"{"v": 1, "at": 1700000000}"#) == .samples([FlowSample(labels: .init(name: "m"), time: now, value: 1)]))
        #expect(map(#"{"v": 1}"#) == .refused("the time at is missing"))
        #expect(map(#"{"v": 1, "at": "x"}"#) == .refused(#"the time at is "x", not of the form epoch_s"#))
        #expect(map(#"{"v": 1, "at": 1700000601}"#) == .refused("the time is 601 s after the arrival"))
    }
}
