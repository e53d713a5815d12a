import Analyzing
import Logging
import Synchronization
import Telemetry
import TimeSeries

/// `time_metadata.log`, `time_value.log` and `time_predict.log`: one line an evaluation, with how long it took.
final class TimeLogs: Sendable {
    private let files: [EvaluationLogLine.Kind: RotatingFile]
    private let clock: any WallClock

    /// `directory` must be there.
    init(directory: String, clock: any WallClock, metrics: MetricRegistry, logger: Logger) {
        self.clock = clock
        let errors = metrics.counter("almanac_time_log_errors_total", help: "Lines that could not be written to the time logs.")
        let hasTold = Mutex(false)
        let onFailure: @Sendable (String) -> Void = { reason in
            errors.add()
            // Once is enough: a full disk fails every line.
            let isFirst = hasTold.withLock { told in
                defer { told = true }
                return !told
            }
            if isFirst { logger.warning("a time log is not written", metadata: ["reason": "\(reason)"]) }
        }
        var files: [EvaluationLogLine.Kind: RotatingFile] = [:]
        for kind in [EvaluationLogLine.Kind.metadata, .value, .predict] {
            files[kind] = RotatingFile(path: "\(directory)/time_\(kind.rawValue).log", onFailure: onFailure)
        }
        self.files = files
    }

    func write(_ line: EvaluationLogLine) { files[line.kind]?.write(TimeLogs.text(line, now: clock.now())) }

    /// As Python's `%(asctime)s - %(name)s - %(levelname)s - %(message)s`.
    static func text(_ line: EvaluationLogLine, now: Milliseconds) -> String {
        let message =
            "evaluation=\(TimeText.format(line.time))Z series=\(line.series) fetch=\(seconds(line.fetch)) compute=\(seconds(line.compute))"
        let spread = "p50=\(seconds(line.p50)) p99=\(seconds(line.p99)) max=\(seconds(line.max))"
        return "\(LocalTime.text(now)) - time_\(line.kind.rawValue) - INFO - \(message) \(spread)"
    }

    private static func seconds(_ value: Double) -> String { NumberText.fixed(value, 6) + "s" }
}
