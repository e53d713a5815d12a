import Foundation
import Logging
import MessagingContract
import Synchronization
import Telemetry
import TestSupport
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
