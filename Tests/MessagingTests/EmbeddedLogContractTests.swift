import Glibc
import Logging
import MessagingContract
import Telemetry
import TestSupport
import Testing
import TimeSeries

@testable import Messaging

private struct SystemClock: WallClock {
    func now() -> Milliseconds {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}

struct EmbeddedHarness: LogHarness {
    let directory: TemporaryDirectory
    let segmentBytes: Int64

    func open(topics: [String: Int]) async throws -> any MessageLog {
        var options = EmbeddedLogOptions(directory: directory.path + "/log")
        options.partitions = topics
        options.segmentBytes = segmentBytes
        return try await EmbeddedLog.open(
            options, clock: SystemClock(), metrics: MetricRegistry(), logger: Logger(label: "log") { _ in SwiftLogNoOpLogHandler() })
    }
}

/// The implementations that have to keep the contract.
struct Implementation: Sendable, CustomTestStringConvertible {
    var name: String
    var harness: @Sendable () throws -> any LogHarness
    var testDescription: String { name }

    static let all = [
        Implementation(name: "embedded") { EmbeddedHarness(directory: try TemporaryDirectory(), segmentBytes: 64 << 20) },
        Implementation(name: "embedded, small segments") { EmbeddedHarness(directory: try TemporaryDirectory(), segmentBytes: 4096) },
    ]
}

@Suite("Message log contract") struct MessageLogContractTests {
    @Test(arguments: Implementation.all, MessageLogContract.cases)
    func keeps(_ implementation: Implementation, _ contract: MessageLogContract.Case) async throws {
        try await contract.run(try implementation.harness())
    }
}
