import CZooKeeper
import Logging
import Synchronization

/// The C client's log, which has no context and no bound: goes to the logger of whoever asked last, few lines a second.
enum ZooKeeperLog {
    static let linesPerSecond = 5

    /// Counts lines by the second; pure, but for the time that comes in.
    struct RateLimit: Sendable {
        private var second: Int64 = .min
        private var passed = 0
        private var suppressed = 0

        /// nil: drop the line. Else the number of lines dropped since the last that passed.
        mutating func admit(atSecond now: Int64) -> Int? {
            if now != second {
                second = now
                passed = 0
            }
            if passed >= ZooKeeperLog.linesPerSecond {
                suppressed += 1
                return nil
            }
            passed += 1
            defer { suppressed = 0 }
            return suppressed
        }
    }

    private struct State {
        var logger: Logger?
        var limit = RateLimit()
    }

    private static let state = Mutex(State())
    private static let start = ContinuousClock.now

    static func direct(to logger: Logger) {
        state.withLock { $0.logger = logger }
        zoo_set_debug_level(ZOO_LOG_LEVEL_WARN)
    }

    /// `date:pid(thread):ZOO_LEVEL@function@line: text` as level and text.
    static func parse(_ line: String) -> (level: Logger.Level, text: String) {
        for (mark, level) in [("ZOO_ERROR@", Logger.Level.warning), ("ZOO_WARN@", .notice), ("ZOO_INFO@", .info), ("ZOO_DEBUG@", .debug)] {
            if let range = line.firstRange(of: mark) { return (level, String(line[range.upperBound...])) }
        }
        return (.info, line)
    }

    static let callback: log_callback_fn = { message in
        guard let message else { return }
        let line = String(cString: message)
        let second = ZooKeeperLog.start.duration(to: .now).components.seconds
        let admitted = ZooKeeperLog.state.withLock { state in
            state.limit.admit(atSecond: second).flatMap { dropped in state.logger.map { ($0, dropped) } }
        }
        guard let (logger, dropped) = admitted else { return }
        let (level, text) = ZooKeeperLog.parse(line)
        logger.log(level: level, "ZooKeeper client: \(text)\(dropped > 0 ? " (\(dropped) more lines dropped)" : "")")
    }
}
