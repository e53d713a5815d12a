import ArgumentParser
import Coordination
import Foundation
import Logging
import Settings
import Telemetry
import ZooKeeperCoordination

struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Read or replace the configuration that all processes share in ZooKeeper.",
        discussion: """
            It holds what the collectors watch (collect) and log_level; each process' own file has the rest. Running processes take a new \
            one at once. One with mistakes is not written.

            Examples:
              almanac config put targets.yaml --config almanac.yaml
              almanac config get --config almanac.yaml
            """,
        subcommands: [ConfigPutCommand.self, ConfigGetCommand.self])
}

/// Where the shared configuration is.
struct CentralOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The file that says where ZooKeeper is (variable ALMANAC_CONFIG).", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"]))
    var config: String?

    @Option(name: .customLong("set"), help: ArgumentHelp("Any key of the configuration; may be repeated.", valueName: "key=value"))
    var values: [String] = []

    /// Runs `body` with the service, and closes it.
    func withService<T: Sendable>(_ body: (any CoordinationService) async throws -> T) async throws -> T {
        let path = config ?? Output.environment["ALMANAC_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        let loaded = Configuration.load(path: path, environment: Output.environment, flags: try SettingFlags.parse(values))
        if !loaded.mistakes.isEmpty {
            for mistake in loaded.mistakes { Output.error(mistake.description) }
            throw Failure("the configuration has \(Count.text(loaded.mistakes.count, "mistake", "mistakes")); nothing was done")
        }
        guard loaded.configuration.coordination.kind == .zookeeper else {
            throw Failure("there is no shared configuration: coordination.kind is not zookeeper")
        }
        let console = ConsoleLog.start(level: .error)
        console.hide(loaded.configuration.secrets)
        let service = ZooKeeperCoordinator(
            options: try loaded.configuration.zookeeperOptions([]), logger: Logger(label: "zookeeper"), metrics: MetricRegistry())
        do {
            let value = try await body(service)
            await service.close()
            return value
        } catch {
            await service.close()
            if let error = error as? CoordinationError { throw Failure(error.description) }
            throw error
        }
    }
}

struct ConfigPutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "put", abstract: "Check a file and share it.")

    @Argument(help: ArgumentHelp("The file to share.", valueName: "file"), completion: .file(extensions: ["yaml", "yml"]))
    var file: String

    @OptionGroup var options: CentralOptions

    func run() async throws {
        guard let data = FileManager.default.contents(atPath: file) else { throw Failure("\(file) cannot be read") }
        let bytes = Array(data)
        let mistakes = CentralFile.mistakes(CentralConfiguration(bytes: bytes, version: -1))
        if !mistakes.isEmpty {
            for mistake in mistakes { Output.error(mistake.description) }
            throw Failure("\(file) has \(Count.text(mistakes.count, "mistake", "mistakes")); nothing was shared")
        }
        let version = try await options.withService { service in
            let before = try await service.configuration()
            return try await service.writeConfiguration(bytes, expectedVersion: before?.version)
        }
        Output.line("shared as version \(version)")
    }
}

struct ConfigGetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "get", abstract: "Print what is shared.")

    @OptionGroup var options: CentralOptions

    func run() async throws {
        guard let shared = try await options.withService({ try await $0.configuration() }) else {
            throw Failure("nothing is shared yet; `almanac config put` does")
        }
        Output.text(String(decoding: shared.bytes, as: UTF8.self))
    }
}
