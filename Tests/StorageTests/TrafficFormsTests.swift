import Foundation
import Records
import StorageContract
import Testing
import TimeSeries

@testable import Storage

@Suite struct TrafficFormsTests {
    @Test func daysAreThoseOfTheCalendar() {
        for (days, text) in [
            (0, "1970-01-01"), (-1, "1969-12-31"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_375, "2025-10-14"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"), (-719_528, "0000-01-01"), (2_932_896, "9999-12-31"),
        ] as [(Int64, String)] { #expect(CivilTime.text(days: days) == text, "\(days)") }
        let formatter = DateFormatter()
        formatter.calendar = Calendar(identifier: .gregorian)
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "yyyy-MM-dd"
        for days in stride(from: 0 as Int64, to: 60_000, by: 17) {
            #expect(CivilTime.text(days: days) == formatter.string(from: Date(timeIntervalSince1970: Double(days) * 86_400)))
        }
    }

    /// A day goes once it has ended everywhere.
    @Test func lastDayThatMayGo() {
        // 2025-10-14 ends at noon of the 15th UTC where the sun rises last.
        let ended = start + 36 * hour
        #expect(StoreRetention.lastDay(endedBefore: ended) == "2025-10-14")
        #expect(StoreRetention.lastDay(endedBefore: ended - 1) == "2025-10-13")
        #expect(StoreRetention.lastDay(endedBefore: .min) == "")
        #expect(StoreRetention.lastDay(endedBefore: .max) == "9999-12-31")
        #expect(StoreRetention.lastDay(endedBefore: 0) == "1969-12-30")
    }

    @Test func rowsAreReducedInTheOrderOfKeys() {
        func total(_ route: String, _ revision: Int64, _ events: Int) -> TrafficTotal {
            ResultStoreContract.total(route, revision: revision, events: events)
        }
        let rows = [total("b", 1, 1), total("a", 2, 2), total("b", 3, 3), total("b", 3, 4), total("a", 1, 5)]
        #expect(TrafficRows.reduced(rows) == [total("a", 2, 2), total("b", 3, 3)])
    }
}
