import Analyzing
import History
import Logging
import Records
import Synchronization
import Telemetry
import TimeSeries

/// `time_metadata.log`, `time_value.log` and `time_predict.log`: one line an evaluation, with how long it took; before it, at debug, one for
/// each series.
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

    func write(_ line: EvaluationLogLine) {
        guard let file = files[line.kind] else { return }
        for text in TimeLogs.texts(line, now: clock.now()) { file.write(text) }
    }

    /// As Python's `%(asctime)s - %(name)s - %(levelname)s - %(message)s`.
    static func texts(_ line: EvaluationLogLine, now: Milliseconds) -> [String] {
        let head = "\(LocalTime.text(now)) - time_\(line.kind.rawValue)"
        let evaluation = "evaluation=\(TimeText.format(line.time))Z"
        let each = line.each.map { key, duration in
            let name = String(decoding: SeriesNotation.bytes(key.labels), as: UTF8.self)
            return "\(head) - DEBUG - \(evaluation) compute=\(seconds(duration)) series=\(name)"
        }
        let times = "series=\(line.series) fetch=\(seconds(line.fetch)) compute=\(seconds(line.compute))"
        let spread = "p50=\(seconds(line.p50)) p99=\(seconds(line.p99)) max=\(seconds(line.max))"
        return each + ["\(head) - INFO - \(evaluation) \(times) \(spread)"]
    }

    private static func seconds(_ value: Double) -> String { NumberText.fixed(value, 6) + "s" }
}
