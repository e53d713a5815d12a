import TestSupport
import MessagingContract
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

struct NeverHappened: Error, CustomStringConvertible {
    var description: String
}
