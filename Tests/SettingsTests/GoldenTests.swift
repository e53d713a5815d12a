import Foundation
import Testing

@testable import Settings

/// Each `Golden/NAME.yaml` is a broken file, `NAME.report` the report that it must give, line by line.
/// `ALMANAC_UPDATE_GOLDEN=1 swift test` writes the reports anew; read the difference before keeping it.
@Suite struct GoldenTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")

    static var names: [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path())) ?? []
        return files.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()
    }

    @Test(arguments: names)
    func report(name: String) throws {
        let text = try String(contentsOf: GoldenTests.folder.appending(path: name + ".yaml"), encoding: .utf8)
        var sources = ConfigurationSources(file: ("\(name).yaml", text))
        sources.readFile = { path throws(FileText.Failure) in
            switch path {
            case "token.txt": return "s3cret\n"
            case "empty.txt": return "\n"
            default: throw FileText.Failure(description: "cannot read \(path): No such file or directory")
            }
        }
        let report = Configuration.load(sources).mistakes.map { "\($0)\n" }.joined()
        let golden = GoldenTests.folder.appending(path: name + ".report")
        if ProcessInfo.processInfo.environment["ALMANAC_UPDATE_GOLDEN"] != nil {
            try report.write(to: golden, atomically: true, encoding: .utf8)
        }
        let expected = try String(contentsOf: golden, encoding: .utf8)
        #expect(report == expected)
        #expect(!report.contains("s3cret"))
    }

    @Test func thereAreGoldenFiles() { #expect(GoldenTests.names.count >= 10) }
}
