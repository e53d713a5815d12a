import Exposition
import Foundation
import Testing

/// The OpenMetrics project's own parser cases (see OpenMetrics/README.md).
@Suite struct OpenMetricsConformanceTests {
    struct Case: CustomTestStringConvertible {
        var folder: URL
        var testDescription: String { folder.lastPathComponent }
    }

    struct Expectation: Decodable {
        var shouldParse: Bool
        var file: String
    }

    static let cases: [Case] = {
        guard let root = Bundle.module.url(forResource: "OpenMetrics", withExtension: nil),
            let entries = try? FileManager.default.contentsOfDirectory(at: root, includingPropertiesForKeys: nil)
        else { return [] }
        return entries.filter { $0.pathExtension.isEmpty }.sorted { $0.path < $1.path }.map { Case(folder: $0) }
    }()

    @Test func allCasesAreHere() {
        #expect(Self.cases.count == 150)
    }

    @Test(arguments: cases) func comesOutAsItsExpectationSays(_ test: Case) throws {
        let json = try Data(contentsOf: test.folder.appendingPathComponent("test.json"))
        let expectation = try JSONDecoder().decode(Expectation.self, from: json)
        let page = try [UInt8](Data(contentsOf: test.folder.appendingPathComponent(expectation.file)))
        let error = failure(page, .openMetrics)
        #expect((error == nil) == expectation.shouldParse, "\(error?.description ?? "parsed"):\n\(String(decoding: page, as: UTF8.self))")
    }
}
