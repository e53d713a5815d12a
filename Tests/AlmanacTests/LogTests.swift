import Foundation
import Logging
import Records
import Settings
import Synchronization
import Telemetry
import Testing
import TimeSeries

@testable import Analyzing
@testable import almanac

@Suite struct LogTests {
    private func withDirectory(_ body: (String) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "almanac-\(UUID().uuidString)").path()
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try body(directory)
    }

    private func lines(_ path: String) -> [String] {
        ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
    }

    @Test func filesAreRotatedBySizeAndNoLineIsLost() throws {
        try withDirectory { directory in
            let path = directory + "/x.log"
            let file = RotatingFile(path: path, maximumBytes: 100, backups: 5)
            for i in 0..<45 { file.write("line \(10 + i)") }
            // 12 lines of 8 bytes fit into 100.
            #expect(lines(path) == (46..<55).map { "line \($0)" })
            #expect(lines(path + ".1") == (34..<46).map { "line \($0)" })
            #expect(lines(path + ".3") == (10..<22).map { "line \($0)" })
            for i in 0..<100 { file.write("more \(10 + i % 90)") }
            let names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            #expect(names == ["x.log", "x.log.1", "x.log.2", "x.log.3", "x.log.4", "x.log.5"])
            for name in names { #expect(try Data(contentsOf: URL(filePath: "\(directory)/\(name)")).count <= 100) }
        }
    }

    @Test func aFileIsContinuedAndCanBeMovedAway() throws {
        try withDirectory { directory in
            let path = directory + "/x.log"
            RotatingFile(path: path).write("first")
            let file = RotatingFile(path: path)
            file.write("second")
            #expect(lines(path) == ["first", "second"])
            try FileManager.default.moveItem(atPath: path, toPath: path + ".away")
            file.write("third")
            #expect(lines(path) == ["third"])
            #expect(lines(path + ".away") == ["first", "second"])
        }
    }

    @Test func failuresAreCountedAndTheNextLineMayWork() throws {
        try withDirectory { directory in
            let failures = Mutex<[String]>([])
            let path = directory + "/missing/x.log"
            let file = RotatingFile(path: path) { reason in failures.withLock { $0.append(reason) } }
            file.write("lost")
            #expect(failures.withLock { $0 } == ["cannot open \(path): No such file or directory"])
            try FileManager.default.createDirectory(atPath: directory + "/missing", withIntermediateDirectories: true)
            file.write("kept")
            #expect(lines(path) == ["kept"])
        }
    }

    @Test func writersDoNotMixLines() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "almanac-\(UUID().uuidString)").path()
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let file = RotatingFile(path: directory + "/x.log", maximumBytes: 1 << 20)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 { group.addTask { for i in 0..<200 { file.write("task \(task) line \(i) end") } } }
        }
        let all = lines(directory + "/x.log")
        #expect(all.count == 1600)
        #expect(Set(all).count == 1600 && all.allSatisfy { $0.hasSuffix(" end") })
    }

    @Test func theLineOfATimeLogIsPythons() throws {
        let form = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - almanac - INFO - x$/
        #expect("\(LocalTime.text(1_769_817_600_007)) - almanac - INFO - x".contains(form))
        #expect(LocalTime.text(1_769_817_600_007).hasSuffix(",007"))
        #expect(LocalTime.text(-1).hasSuffix("59,999"))
    }

    private func handler(_ level: Logger.Level = .info) -> (ConsoleLog, Logger, @Sendable () -> [String]) {
        let lines = LineBox()
        let log = ConsoleLog(level: level) { lines.add($0) }
        let logger = Logger(label: "part") { ConsoleLogHandler(label: $0, log: log) }
        return (log, logger, { lines.all })
    }

    @Test func linesHaveLevelMessageAndMetadata() {
        let (_, logger, lines) = handler()
        logger.info("hello", metadata: ["b": "two words", "a": "1"])
        logger.debug("not shown")
        #expect(lines().count == 1)
        #expect(lines().first?.hasSuffix(" info     part: hello a=1 b=\"two words\"") == true)
    }

    @Test func secretsAreHidden() {
        let (log, logger, lines) = handler()
        log.hide(["hunter22", "ab"])
        logger.error("failed with hunter22", metadata: ["apiToken": "xyz", "url": "http://h/?k=hunter22", "n": "ab"])
        #expect(lines().first?.contains("hunter22") == false)
        #expect(lines().first?.hasSuffix("part: failed with <secret> apiToken=<secret> n=ab url=http://h/?k=<secret>") == true)
    }

    /// At debug each series of an evaluation has a line, and their times add up to that of the whole.
    @Test(arguments: [LogLevel.debug, .info]) func eachSeriesHasALineAtDebug(_ level: LogLevel) throws {
        var configuration = Configuration()
        configuration.logLevel = level
        let ticks = Mutex(0.0)
        var state = AnalyzerState(options: configuration.analyzeOptions, epoch: 1, partitions: 1) {
            ticks.withLock {
                $0 += 0.001
                return $0
            }
        }
        let time: Milliseconds = 1_700_000_100_000
        let section = SeriesSection([
            (LabelSet(name: "load", [Label("instance", "a")]), .gauge), (LabelSet(name: "up", [Label("path", "a\nb")]), .gauge),
        ])
        let record = SamplesRecord.encode(source: 7, watermark: time, section: section, time: time, values: [1, 2])
        _ = try state.ingest(record, partition: 0, offset: 0, now: time)
        let line = try #require(state.advance(now: time).output.lines.first { $0.kind == .value })
        let texts = TimeLogs.texts(line, now: time)
        let whole = try #require(texts.last)
        #expect(whole.contains(" - time_value - INFO - evaluation=2023-11-14 22:15:00Z series=2 fetch="), "\(whole)")
        #expect(whole.contains(" compute=0.002000s p50=0.001000s"), "\(whole)")
        guard level == .debug else { return #expect(texts.count == 1) }
        #expect(texts.count == 3 && texts.allSatisfy { !$0.contains("\n") })
        for name in [#"load{instance="a"}"#, #"up{path="a\nb"}"#] {
            let end = " - time_value - DEBUG - evaluation=2023-11-14 22:15:00Z compute=0.001000s series=\(name)"
            #expect(texts.contains { $0.hasSuffix(end) }, "\(texts)")
        }
    }

    @Test func aMessageStaysOneLine() {
        let (_, logger, lines) = handler()
        logger.info("a\nb\u{1B}[31mred")
        #expect(lines().first?.hasSuffix("part: a\\nb\\u{1b}[31mred") == true)
    }

    @Test func theLevelChangesWhileRunning() {
        let (log, logger, lines) = handler()
        logger.debug("one")
        log.level = .debug
        logger.debug("two")
        #expect(lines().count == 1)
        var own = logger
        own.logLevel = .error
        own.warning("three")
        #expect(lines().count == 1)
    }
}

private final class LineBox: Sendable {
    private let lines = Mutex<[String]>([])

    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}
