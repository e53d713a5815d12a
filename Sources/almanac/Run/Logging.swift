import Glibc
import Logging
import Settings

extension ConsoleLog {
    /// Sets the process' log up, once: lines on standard error.
    static func start(level: LogLevel) -> ConsoleLog {
        let log = ConsoleLog(level: level.logger) { Output.error($0) }
        LoggingSystem.bootstrap { ConsoleLogHandler(label: $0, log: log) }
        return log
    }
}

extension LogLevel {
    var logger: Logger.Level { Logger.Level(rawValue: rawValue) ?? .info }
}
