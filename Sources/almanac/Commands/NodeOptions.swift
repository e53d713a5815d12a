import ArgumentParser
import Settings

/// What every command that starts roles takes.
struct NodeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The configuration file (variable ALMANAC_CONFIG).", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"]))
    var config: String?

    @Option(help: ArgumentHelp("Where to serve (variable ALMANAC_LISTEN; default 127.0.0.1:5002).", valueName: "address:port"))
    var listen: String?

    @Option(
        help: ArgumentHelp("The data directory (variable ALMANAC_DATA; default ./data).", valueName: "directory"), completion: .directory)
    var data: String?

    @Option(help: ArgumentHelp("trace, debug, info, notice, warning, error or critical (variable ALMANAC_LOG_LEVEL).", valueName: "level"))
    var logLevel: String?

    @Option(name: .customLong("set"), help: ArgumentHelp("Any key of the configuration; may be repeated.", valueName: "key=value"))
    var values: [String] = []

    /// Starts these roles, and a simulated fleet if one is wanted, and works until a signal ends them.
    func run(roles: Set<Role>, simulatedVehicles: Int? = nil) async throws {
        let flags = try flags()
        let path = config ?? Output.environment["ALMANAC_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        let central = CentralFile()
        let load: @Sendable () -> LoadedConfiguration = {
            let own = Configuration.load(path: path, environment: Output.environment, flags: flags)
            return central.over(own, environment: Output.environment, flags: flags)
        }
        let loaded = load()
        if !loaded.mistakes.isEmpty {
            for mistake in loaded.mistakes { Output.error(mistake.description) }
            throw Failure("the configuration has \(Count.text(loaded.mistakes.count, "mistake", "mistakes")); nothing was started")
        }
        let console = ConsoleLog.start(level: loaded.configuration.logLevel)
        console.hide(loaded.configuration.secrets)
        for warning in loaded.warnings { Output.error("warning: \(warning)") }
        do {
            let node = try await Node.open(
                loaded.configuration, roles: roles, simulatedVehicles: simulatedVehicles, console: console, central: central, source: load)
            try await node.run()
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure("\(error)".split(whereSeparator: \.isNewline).joined(separator: " "))
        }
    }

    private func flags() throws -> [ConfigurationSources.Flag] {
        var flags = try SettingFlags.parse(values)
        for (name, key, text) in [("--listen", "listen", listen), ("--data", "data", data), ("--log-level", "log_level", logLevel)] {
            if let text { flags.append(.init(flag: name, key: key, text: text)) }
        }
        return flags
    }
}
