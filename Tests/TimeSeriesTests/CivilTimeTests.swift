import Testing

@testable import TimeSeries

@Suite struct CivilTimeTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400_001, "2000-02-29T00:00:00.001Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
        ] as [(Milliseconds, String)]) func times(_ time: Milliseconds, _ text: String)
    {
        #expect(CivilTime.text(time) == text)
    }

    /// Every day of eight centuries: the day before, and there and back.
    @Test func daysFollowEachOther() {
        var last = CivilTime.date(days: -146_098)
        for days in Int64(-146_097)...146_097 {
            let date = CivilTime.date(days: days)
            let isSame = CivilTime.days(year: date.year, month: date.month, day: date.day) == days
            let isNext = date.day == last.day + 1 && date.month == last.month && date.year == last.year
            let isFirst = date.day == 1 && last.day == CivilTime.length(ofMonth: last.month, year: last.year)
            guard isSame, isNext || isFirst else {
                Issue.record("\(date), day \(days), follows \(last)")
                return
            }
            last = date
        }
    }
}
