import Glibc
import Logging
import Synchronization
import TimeSeries

/// What all console handlers of the process share: the level, which a reload changes, and the texts that must never be printed.
final class ConsoleLog: Sendable {
    private struct State {
        var level: Logger.Level
        var secrets: [String] = []
    }

    private let state: Mutex<State>
    let isColored: Bool
    private let sink: @Sendable (String) -> Void

    /// `sink` takes one line without its line end.
    init(level: Logger.Level, isColored: Bool = false, sink: @escaping @Sendable (String) -> Void) {
        state = Mutex(State(level: level))
        self.isColored = isColored
        self.sink = sink
    }

    var level: Logger.Level {
        get { state.withLock { $0.level } }
        set { state.withLock { $0.level = newValue } }
    }

    /// Short ones are left out: they would blank out ordinary text.
    func hide(_ secrets: [String]) {
        state.withLock { $0.secrets = secrets.filter { $0.utf8.count >= 4 }.sorted { $0.utf8.count > $1.utf8.count } }
    }

    func write(_ line: String) {
        let secrets = state.withLock { $0.secrets }
        var text = line
        for secret in secrets where text.contains(secret) { text = text.replacing(secret, with: ConsoleLog.mask) }
        sink(text)
    }

    static let mask = "<secret>"
}

/// Lines for people: `2026-01-31 12:34:56.789 info  collect: message key=value`.
struct ConsoleLogHandler: LogHandler {
    private let label: String
    private let log: ConsoleLog
    /// A level of this logger's own; else the process' level counts.
    private var ownLevel: Logger.Level?
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(label: String, log: ConsoleLog) {
        self.label = label
        self.log = log
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? log.level }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let given = event.metadata { all.merge(given) { _, new in new } }
        if let error = event.error { all["error"] = "\(error)" }
        let time = LocalTime.text(SystemClock().now(), separator: ".")
        log.write(ConsoleLogHandler.line(time: time, level: event.level, label: label, message: event.message.description, metadata: all))
    }

    /// One line, whatever the message holds.
    static func line(time: String, level: Logger.Level, label: String, message: String, metadata: Logger.Metadata) -> String {
        var text = "\(time) \(level.rawValue.padded(right: 8)) \(label): \(oneLine(message))"
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            let shown = isSecret(key) ? ConsoleLog.mask : oneLine(value.description)
            text += " \(key)=" + (shown.contains(" ") || shown.isEmpty ? "\"\(shown)\"" : shown)
        }
        return text
    }

    private static func isSecret(_ key: String) -> Bool {
        let name = key.lowercased()
        return ["token", "password", "secret", "authorization", "credential"].contains { name.contains($0) }
    }

    /// Control characters of a hostile page must not reach the terminal.
    private static func oneLine(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }) else { return text }
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            default:
                if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
                    out += "\\u{\(String(scalar.value, radix: 16))}"
                } else {
                    out.unicodeScalars.append(scalar)
                }
            }
        }
        return out
    }
}
