import Coordination
import Settings
import Synchronization

/// The configuration that all processes share in the coordination service, laid over each one's own. It says what the collectors watch and how
/// much is logged, as a reload takes these over; everything else is each process' own.
final class CentralFile: Sendable {
    private let taken = Mutex<CentralConfiguration?>(nil)

    /// The keys that it may hold.
    static let keys = "collect and log_level"

    /// What was taken last.
    var version: Int64? { taken.withLock { $0?.version } }

    /// Takes this one, or, for nil or one with mistakes, stays as it was. `apply` uses it and throws what is wrong with it.
    func take(_ new: CentralConfiguration, _ apply: () throws -> Void) rethrows {
        let before = taken.withLock { taken in
            defer { taken = new }
            return taken
        }
        do {
            try apply()
        } catch {
            taken.withLock { $0 = before }
            throw error
        }
    }

    /// The process' own configuration with the central one over it. Variables and flags of the process win over both.
    func over(
        _ own: LoadedConfiguration, environment: [String: String], flags: [ConfigurationSources.Flag]
    ) -> LoadedConfiguration {
        guard let central = taken.withLock({ $0 }) else { return own }
        var mistakes = CentralFile.mistakes(central)
        if mistakes.isEmpty {
            let loaded = Configuration.load(CentralFile.sources(central, environment: environment, flags: flags))
            mistakes = loaded.mistakes
            if mistakes.isEmpty {
                var both = own
                both.configuration.collect = loaded.configuration.collect
                both.configuration.logLevel = loaded.configuration.logLevel
                return both
            }
        }
        return LoadedConfiguration(configuration: own.configuration, mistakes: own.mistakes + mistakes, warnings: own.warnings)
    }

    /// What keeps it from being shared.
    static func mistakes(_ central: CentralConfiguration) -> [Mistake] {
        let loaded = Configuration.load(sources(central, environment: [:], flags: []))
        if !loaded.mistakes.isEmpty { return loaded.mistakes }
        var rest = loaded.configuration
        rest.collect = CollectSettings()
        rest.logLevel = Configuration().logLevel
        guard rest != Configuration() else { return [] }
        let message = "only \(keys) can be shared; give the rest to each process"
        return [Mistake(place: .file(name: name(central), line: 1, column: 1), key: "", message: message)]
    }

    private static func name(_ central: CentralConfiguration) -> String {
        central.version < 0 ? "the new central configuration" : "the central configuration, version \(central.version)"
    }

    private static func sources(
        _ central: CentralConfiguration, environment: [String: String], flags: [ConfigurationSources.Flag]
    ) -> ConfigurationSources {
        var sources = ConfigurationSources(environment: environment, flags: flags)
        sources.file = (name(central), String(decoding: central.bytes, as: UTF8.self))
        return sources
    }
}
