import Analytics
import Foundation
import TimeSeries

/// `evaluate anomalies`: every CSV file `timestamp,value` below a folder goes through a detector of its own, row by row in order, with
/// the product's parameters; the same path below another folder gets `timestamp,value,anomaly_score`.
struct AnomalyEvaluation {
    static let header = "timestamp,value,anomaly_score"

    struct Summary: Equatable {
        var rows = 0
        var incidents = 0
    }

    var options = AnomalyOptions()

    /// Files in order of their names, one at a time in memory. A row has its score before the next is read. Returns the number of files
    /// and what was in them.
    func run(data: String, out: String) throws -> (files: Int, summary: Summary) {
        guard let walker = FileManager.default.enumerator(atPath: data) else {
            throw Failure("\(data) is no folder that can be read; give --data a folder of CSV files with the header timestamp,value")
        }
        var files = 0
        var summary = Summary()
        for name in walker.compactMap({ $0 as? String }).filter({ $0.hasSuffix(".csv") }).sorted() {
            let path = data + "/" + name
            guard let bytes = FileManager.default.contents(atPath: path) else { throw Failure("\(path) cannot be read") }
            guard let scored = try score(String(decoding: bytes, as: UTF8.self), path: path) else { continue }
            files += 1
            summary.rows += scored.summary.rows
            summary.incidents += scored.summary.incidents
            try write(scored.text, to: out + "/" + name)
        }
        if files == 0 { throw Failure("\(data) holds no CSV file with the header timestamp,value") }
        return (files, summary)
    }

    /// The scored rows of one file; nil for one of another form. A value that is no number has the score 0. Times that do not grow, as at
    /// the end of summer time, are moved to a millisecond after the last one.
    func score(_ text: String, path: String) throws -> (text: String, summary: Summary)? {
        // A carriage return and line feed are one Character.
        var lines = text.split(whereSeparator: \.isNewline)[...]
        guard let first = lines.popFirst() else { return nil }
        let names = fields(first)
        guard names.count >= 2, names[0] == "timestamp", names[1] == "value" else { return nil }
        var detector = AnomalyDetector(options: options)
        var summary = Summary()
        var scored = Self.header + "\n"
        var last: Milliseconds?
        for (index, line) in lines.enumerated() {
            let row = fields(line)
            guard row.count >= 2, let time = TimeText.parse(String(row[0])) else {
                throw Failure("\(path), row \(index + 2): '\(line)' does not begin with a timestamp and a value")
            }
            let now = last.map { max($0 + 1, time) } ?? time
            last = now
            let event = detector.update(time: now, value: Double(row[1]) ?? .nan)
            if let event, event.end != nil { summary.incidents += 1 }
            summary.rows += 1
            scored += "\(row[0]),\(row[1]),\(detector.score)\n"
        }
        if detector.finish() != nil { summary.incidents += 1 }
        return (scored, summary)
    }

    private func fields(_ line: Substring) -> [Substring] {
        // A byte order mark may stand before the header.
        line.split(separator: ",", omittingEmptySubsequences: false).map { field in
            var field = field.drop { $0 == " " || $0 == "\u{FEFF}" }
            while field.last == " " { field.removeLast() }
            return field
        }
    }

    private func write(_ text: String, to path: String) throws {
        let folder = (path as NSString).deletingLastPathComponent
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        } catch {
            throw Failure("\(path) cannot be written: \(error.localizedDescription)")
        }
    }
}
