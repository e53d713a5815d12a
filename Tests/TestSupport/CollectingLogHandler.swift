import Logging
import Synchronization

/// Keeps what is logged.
package struct CollectingLogHandler: LogHandler {
    package final class Lines: Sendable {
        private let lines = Mutex<[String]>([])

        package init() {}
        /// Each as `level message key=value ...`.
        package var all: [String] { lines.withLock { $0 } }
        fileprivate func add(_ line: String) { lines.withLock { $0.append(line) } }
    }

    package let lines: Lines
    package var metadata: Logger.Metadata = [:]
    package var logLevel: Logger.Level = .debug

    package init(lines: Lines) { self.lines = lines }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let details = (event.metadata ?? [:]).map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " ")
        lines.add("\(event.level) \(event.message) \(details)")
    }
}
