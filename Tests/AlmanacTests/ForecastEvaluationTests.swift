import Foundation
import Testing

@testable import almanac

@Suite struct ForecastEvaluationTests {
    @Test(arguments: ["value\n1\n2.5\n\n-3\n", "value\r\n1\r\n2.5\r\n\r\n-3\r\n", "\u{FEFF}value\n1\n2.5\n\n-3"])
    func filesOfOtherSystemsAreRead(text: String) throws {
        let values = try #require(ValueFile.parse(Data(text.utf8)))
        #expect(values.count == 4)
        #expect(values[0] == 1 && values[1] == 2.5 && values[2].isNaN && values[3] == -3)
    }

    @Test func aFileOfAnotherFormIsNone() { #expect(ValueFile.parse(Data("series,step\na,60\n".utf8)) == nil) }

    @Test(arguments: [1, 2, 12, 100, Int.max])
    func originsAreEvenlySpacedAndWithinTheFile(origins: Int) {
        let evaluation = ForecastEvaluation(context: 100, horizon: 10, origins: origins, step: 60_000)
        let places = evaluation.places(count: 150)
        #expect(places.count == min(origins, 41))
        #expect(places.first == 100 && (origins == 1 || places.last == 140))
        #expect(zip(places, places.dropFirst()).allSatisfy { $0 < $1 })
        #expect(evaluation.places(count: 109).isEmpty)
    }

    @Test func aNameWithACommaIsQuoted() {
        let evaluation = ForecastEvaluation(context: 40, horizon: 2, origins: 1, step: 60_000)
        let values = (0..<50).map { Double($0 % 7) }
        let rows = evaluation.rows(ValueFile(name: "a,\"b\".csv", values: values))
        #expect(!rows.isEmpty && rows.allSatisfy { $0.hasPrefix("\"a,\"\"b\"\"\",40,") })
    }
}
