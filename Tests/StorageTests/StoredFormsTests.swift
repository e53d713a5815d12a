import Records
import Storage
import StorageContract
import TestSupport
import Testing
import TimeSeries

@Suite struct StoredFormsTests {
    @Test func profilesOfTheHistoryAreShort() {
        let long = JSONValue.array((0..<40).map { .int($0) })
        let test: JSONValue = ["statistic": -12.345_678_9, "critical": ["1%": -3.4], "lags": 1_234_567]
        let full = profile(
            key("a"), at: start, detail: ["acf": ["values": long, "lags": [1, 2]], "stationarity": ["adf": test], "reason": nil])
        let expected: JSONValue = [
            "acf": ["lags": [1, 2]], "stationarity": ["adf": ["statistic": -12.3457, "lags": 1_234_567]], "reason": nil,
        ]
        #expect(full.historyDetail == expected)
    }

    @Test(arguments: [0, -0.0, 1e308, -.greatestFiniteMagnitude, 123_456.5, 0.1, .leastNormalMagnitude] as [Double])
    func numbersStayNumbers(_ number: Double) throws {
        let short = profile(key("a"), at: start, detail: ["x": .double(number)]).historyDetail["x"]?.doubleValue
        let value = try #require(short)
        #expect(value.isFinite && abs(value - number) <= 1e-5 * abs(number))
    }

    @Test func pathsSurvive() {
        let path = [prediction(1.0 / 3), prediction(-1e300)]
        #expect(ForecastPath.decode(ForecastPath.text(path)) == path)
        #expect(ForecastPath.decode(ForecastPath.text([])) == [])
        for text in ["", "{}", "[1]", "[[1,2,3,4]]", "[[1,2,3,4,\"5\"]]", "[[1,2,3,4,5]"] { #expect(ForecastPath.decode(text) == nil) }
    }
}
