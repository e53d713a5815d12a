import Foundation
import Testing

@testable import almanac

@Suite("evaluate anomalies") struct AnomalyEvaluationTests {
    private func text(_ rows: Int, spikeAt spike: Int, lineEnd: String = "\n") -> String {
        var lines = ["timestamp,value"]
        for i in 0..<rows {
            let minute = i * 5
            let time = String(format: "2014-04-%02d %02d:%02d:00", 1 + minute / 1_440, minute / 60 % 24, minute % 60)
            lines.append("\(time),\(i == spike ? 500.0 : Double(i * 7_919 % 101))")
        }
        return lines.joined(separator: lineEnd) + lineEnd
    }

    @Test("each row has a score, the file keeps its path, its times and its values", arguments: ["\n", "\r\n"])
    func rows(_ lineEnd: String) throws {
        let folder = Folder()
        let data = folder.file("data/real")
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        try text(2_000, spikeAt: 1_500, lineEnd: lineEnd).write(toFile: data + "/a.csv", atomically: true, encoding: .utf8)
        try "series,step\nx,60\n".write(toFile: folder.file("data/manifest.csv"), atomically: true, encoding: .utf8)
        let result = try AnomalyEvaluation().run(data: folder.file("data"), out: folder.file("out/deep"))
        #expect(result.files == 1)
        #expect(result.summary.rows == 2_000)
        #expect(result.summary.incidents == 1)
        let lines = try String(contentsOfFile: folder.file("out/deep/real/a.csv"), encoding: .utf8).split(separator: "\n")
        #expect(lines.first == "timestamp,value,anomaly_score")
        #expect(lines.count == 2_001)
        #expect(lines[1] == "2014-04-01 00:00:00,0.0,0.0")
        let scores = lines.dropFirst().map { Double($0.split(separator: ",")[2]) ?? .nan }
        #expect(scores.allSatisfy { $0 >= 0 && $0 <= 1 })
        #expect(scores.indices.max { scores[$0] < scores[$1] } == 1_500)
    }

    @Test("streaming: later rows do not change earlier scores")
    func streaming() throws {
        let whole = try #require(try AnomalyEvaluation().score(text(2_000, spikeAt: 1_500), path: "a")).text.split(separator: "\n")
        let part = try #require(try AnomalyEvaluation().score(text(1_600, spikeAt: 1_500), path: "a")).text.split(separator: "\n")
        #expect(Array(whole.prefix(part.count)) == Array(part))
    }

    @Test("repeated times are rows too, a value that is none has the score 0, a line that is none is named")
    func oddRows() throws {
        let odd = "\u{FEFF}timestamp, value\n2014-04-01 00:00:00,1\n2014-04-01 00:00:00,2\n2014-03-31 23:00:00,\n2014-04-01 00:10:00,x\n"
        let scored = try #require(try AnomalyEvaluation().score(odd, path: "a.csv"))
        #expect(scored.summary.rows == 4)
        #expect(scored.text.split(separator: "\n").dropFirst().allSatisfy { $0.hasSuffix(",0.0") })
        #expect(try AnomalyEvaluation().score("value\n1\n", path: "a.csv") == nil)
        let failure = #expect(throws: Failure.self) { _ = try AnomalyEvaluation().score("timestamp,value\nlater,1\n", path: "a.csv") }
        #expect("\(failure.map { "\($0)" } ?? "")".contains("a.csv, row 2"))
    }

    @Test("a folder without such files is an error")
    func empty() throws {
        let folder = Folder()
        #expect(throws: Failure.self) { _ = try AnomalyEvaluation().run(data: folder.file("none"), out: folder.file("out")) }
    }
}

private final class Folder {
    private let path = FileManager.default.temporaryDirectory.appendingPathComponent("almanac-anomalies-\(UUID().uuidString)").path
    func file(_ name: String) -> String { path + "/" + name }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}
