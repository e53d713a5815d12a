import Foundation
import Logging
import Synchronization
import Telemetry
import Testing
import TimeSeries

@testable import Messaging

/// A clock that a test sets.
final class TestClock: WallClock {
    private let time: Mutex<Milliseconds>
    init(_ start: Milliseconds = 1_700_000_000_000) { time = Mutex(start) }
    func now() -> Milliseconds { time.withLock { $0 } }
    func set(_ value: Milliseconds) { time.withLock { $0 = value } }
    func advance(_ by: Milliseconds) { time.withLock { $0 += by } }
}

/// A directory that goes away with the object.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/almanac-log-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Collects what the log writes to its logger.
struct CollectingLogHandler: LogHandler {
    final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
        func add(_ line: String) { lines.withLock { $0.append(line) } }
    }

    let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .debug

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let details = (event.metadata ?? [:]).map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " ")
        lines.add("\(event.level) \(event.message) \(details)")
    }
}

/// An embedded log on a device, with what a test wants to look at.
struct Bench: Sendable {
    let device: any LogDevice
    let clock: TestClock
    let metrics = MetricRegistry()
    let lines = CollectingLogHandler.Lines()
    var options: EmbeddedLogOptions

    init(_ device: any LogDevice = SimulatedDevice(), directory: String = "/log", clock: TestClock = TestClock()) {
        self.device = device
        self.clock = clock
        options = EmbeddedLogOptions(directory: directory)
        options.segmentBytes = 4096
    }

    func open() async throws -> EmbeddedLog {
        let lines = lines
        let logger = Logger(label: "test") { _ in CollectingLogHandler(lines: lines) }
        return try await EmbeddedLog.open(options, device: device, clock: clock, metrics: metrics, logger: logger)
    }

    /// The value of a sample on the metrics page.
    func metric(_ name: String) -> Double? {
        for line in metrics.render().split(separator: "\n") where line.hasPrefix(name + " ") {
            return Double(line.dropFirst(name.count + 1))
        }
        return nil
    }
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

func record(_ topic: String, shard: Int = 0, _ value: String) -> ProducerRecord {
    ProducerRecord(topic: topic, key: .shard(Shard(UInt16(shard))), value: Array(value.utf8))
}

/// Everything that is in the log now, by a tail from the earliest.
func everything(_ log: any MessageLog, _ topic: String, maxBytes: Int = 1 << 20) async throws -> [ConsumerRecord] {
    let tail = try await log.tail(topics: [topic], from: .earliest)
    var records: [ConsumerRecord] = []
    while true {
        let batch = try await tail.poll(maxBytes: maxBytes, timeout: 0)
        if batch.records.isEmpty { break }
        records += batch.records
    }
    await tail.close()
    return records
}

/// Polls until `enough`; fails after `seconds`.
@discardableResult
func poll(
    _ consumer: any MessageConsumer, seconds: Int = 30, until enough: ([ConsumedBatch]) -> Bool
) async throws -> [ConsumedBatch] {
    var batches: [ConsumedBatch] = []
    let deadline = ContinuousClock.now + .seconds(seconds)
    while !enough(batches) {
        guard ContinuousClock.now < deadline else {
            Issue.record(
                "waited \(seconds) s; got \(batches.flatMap { $0.records }.count) records, assigned \(batches.flatMap { $0.assigned })")
            return batches
        }
        batches.append(try await consumer.poll(maxBytes: 1 << 20, timeout: 200))
    }
    return batches
}

struct NeverHappened: Error, CustomStringConvertible {
    var description: String
}

/// Waits for something that another task or thread does; throws after 20 s.
func eventually(_ what: String, _ holds: () -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while !holds() {
        if ContinuousClock.now > deadline { throw NeverHappened(description: "waited 20 s for: \(what)") }
        await Task.yield()
    }
}

func records(_ batches: [ConsumedBatch]) -> [ConsumerRecord] { batches.flatMap { $0.records } }

/// A value that several tasks of a test change.
final class Shared<Value: Sendable>: Sendable {
    private let value: Mutex<Value>
    init(_ start: Value) { value = Mutex(start) }
    func withLock<T: Sendable>(_ body: (inout Value) -> T) -> T { value.withLock { body(&$0) } }
}
