import Logging
import Settings
import Synchronization

/// Reads the configuration again while the program runs. One that has mistakes changes nothing.
final class Reloader: Sendable {
    private let source: @Sendable () -> LoadedConfiguration
    private let current: Mutex<Configuration>
    private let apply: @Sendable (Configuration) -> Void
    private let logger: Logger

    /// - Parameters:
    ///   - source: reads the file, the environment and the flags again.
    ///   - apply: takes over what can change while running.
    init(
        current: Configuration, logger: Logger, source: @escaping @Sendable () -> LoadedConfiguration,
        apply: @escaping @Sendable (Configuration) -> Void
    ) {
        self.current = Mutex(current)
        self.source = source
        self.apply = apply
        self.logger = logger
    }

    /// The sections whose changes wait for a restart. Throws `Failure` with all mistakes; then the old configuration goes on.
    @discardableResult
    func reload() throws -> [String] {
        let loaded = source()
        for warning in loaded.warnings { logger.warning("\(warning)") }
        if !loaded.mistakes.isEmpty {
            for mistake in loaded.mistakes { logger.error("\(mistake)") }
            logger.error("the configuration was not reloaded; the old one goes on")
            throw Failure(loaded.mistakes.map(\.description).joined(separator: "; "))
        }
        // Applied under the lock: two reloads at once must not mix.
        let frozen = current.withLock { current in
            let frozen = Reloader.needRestart(current, loaded.configuration)
            apply(loaded.configuration)
            current = loaded.configuration
            return frozen
        }
        logger.notice("the configuration was reloaded")
        if !frozen.isEmpty {
            logger.warning("changes of \(frozen.joined(separator: ", ")) take effect at the next start")
        }
        return frozen
    }

    /// The sections that differ and cannot change while running.
    static func needRestart(_ old: Configuration, _ new: Configuration) -> [String] {
        var names: [String] = []
        if old.data != new.data { names.append("data") }
        if old.listen != new.listen { names.append("listen") }
        if old.server != new.server { names.append("server") }
        if old.topics != new.topics { names.append("topics") }
        if old.log != new.log { names.append("log") }
        if old.messaging != new.messaging { names.append("messaging") }
        if old.coordination != new.coordination { names.append("coordination") }
        if old.instance != new.instance { names.append("instance") }
        if old.store != new.store { names.append("store") }
        if old.analyze != new.analyze { names.append("analyze") }
        if old.traffic.enabled != new.traffic.enabled || old.traffic.windows != new.traffic.windows { names.append("traffic") }
        if old.notify != new.notify { names.append("notify") }
        if old.flows != new.flows { names.append("flows") }
        if old.joins != new.joins { names.append("joins") }
        return names
    }
}
