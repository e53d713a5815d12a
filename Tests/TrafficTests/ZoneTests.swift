import Foundation
import TestSupport
import Testing
import TimeSeries

@testable import Traffic

@Suite struct ZoneTests {
    @Test(arguments: [
        "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns", "UTC",
    ])
    func offsetsAndDaysAreTheSystems(name: String) throws {
        let zone = try #require(TimeZone(identifier: name))
        var zones = ZoneTable()
        let index = zones.index(of: name)
        var dice = SplitMix64(seed: 8)
        for _ in 0..<3_000 {
            let time = Milliseconds(dice.below(4_000_000_000)) * 1000
            let offset = Milliseconds(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(time / 1000)))) * 1000
            #expect(zones.offset(zone: index, at: time) == offset)
            let day = zones.day(zone: index, at: time)
            #expect(day.day == floorDivided(time + offset, CivilTime.day) && day.from <= time && time < day.to)
            let back = zones.utc(zone: index, local: time + offset)
            // A local time that occurs twice is the first one.
            #expect(back == time || (back < time && zones.offset(zone: index, at: back) == offset + time - back))
        }
    }

    @Test func localTimesAtTheChangeOfClocks() {
        var zones = ZoneTable()
        let berlin = zones.index(of: "Europe/Berlin")
        // 2024-03-31 02:30 never occurs; 2024-10-27 02:30 twice.
        #expect(zones.utc(zone: berlin, local: 1_711_852_200_000) == 1_711_852_200_000 - 3_600_000)
        #expect(zones.utc(zone: berlin, local: 1_729_996_200_000) == 1_729_996_200_000 - 7_200_000)
        #expect(zones.utc(zone: berlin, local: 1_729_999_800_000) == 1_729_999_800_000 - 3_600_000)
        #expect(ZoneTable.isKnown("Europe/Berlin") && !ZoneTable.isKnown("Mars/Olympus"))
        let unknown = zones.index(of: "Mars/Olympus")
        #expect(zones.utc(zone: unknown, local: 1_000) == 1_000)
    }

    @Test func civilDays() {
        for days in stride(from: Int64(-200_000), to: 3_000_000, by: 977) {
            let date = CivilTime.date(days: days)
            #expect(CivilTime.days(year: date.year, month: date.month, day: date.day) == days)
        }
        #expect(CivilTime.text(days: 19_782) == "2024-02-29")
    }
}
