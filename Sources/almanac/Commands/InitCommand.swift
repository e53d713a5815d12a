import ArgumentParser
import CassandraStorage
import KafkaMessaging
import Logging
import Messaging
import MySQLStorage
import Settings
import Storage

struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make the topics, the database and its tables that the configuration names.",
        discussion: """
            What is there already stays as it is, so it may be run again at any time; what differs is told. It never shrinks anything and \
            refuses another number of partitions than a topic has. A broker or server that is not up yet is waited for.

            Examples:
              almanac init --config almanac.yaml
              almanac init --config almanac.yaml --wait 10s
            """)

    @Option(
        help: ArgumentHelp("The configuration file (variable ALMANAC_CONFIG).", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"]))
    var config: String?

    @Option(name: .customLong("set"), help: ArgumentHelp("Any key of the configuration; may be repeated.", valueName: "key=value"))
    var values: [String] = []

    @Option(help: ArgumentHelp("How long to wait for what is not up yet.", valueName: "seconds"))
    var wait = 300

    func run() async throws {
        let path = config ?? Output.environment["ALMANAC_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        let loaded = Configuration.load(path: path, environment: Output.environment, flags: try SettingFlags.parse(values))
        if !loaded.mistakes.isEmpty {
            for mistake in loaded.mistakes { Output.error(mistake.description) }
            throw Failure("the configuration has \(Count.text(loaded.mistakes.count, "mistake", "mistakes")); nothing was made")
        }
        let console = ConsoleLog.start(level: .error)
        console.hide(loaded.configuration.secrets)
        try await makeTopics(loaded.configuration)
        try await makeTables(loaded.configuration)
    }

    private func makeTopics(_ configuration: Configuration) async throws {
        guard configuration.messaging.kind == .kafka else {
            return Output.line("topics: the embedded log makes its own")
        }
        do {
            let admin = try KafkaAdmin(configuration.kafkaOptions, logger: Logger(label: "kafka"))
            let plan = try await waiting("Kafka") { try await admin.create(configuration.kafkaTopics) }
            for line in plan.report { Output.line(line) }
            await admin.close()
        } catch let error as MessagingError {
            throw Failure(error.message)
        }
    }

    private func makeTables(_ configuration: Configuration) async throws {
        do {
            switch configuration.store.kind {
            case .sqlite:
                try DataDirectory.prepare(configuration.data)
                let store = try SQLiteStore(configuration.sqliteOptions)
                await store.close()
                Output.line("the database \(configuration.sqliteOptions.path) is there, its tables up to date")
            case .mysql:
                let report = try await waiting("MySQL") { try await MySQLSchema.install(configuration.mysqlOptions) }
                for line in report.lines { Output.line(line) }
            case .cassandra:
                let options = try configuration.cassandraOptions()
                try await waiting("Cassandra") { try await CassandraSchema.install(options) }
                Output.line("the keyspace \(options.keyspace) is there, its tables up to date")
            }
        } catch let error as StorageError {
            throw Failure(error.message)
        }
    }

    /// Repeats what is unavailable for now, for as long as was asked for.
    private func waiting<T: Sendable>(_ what: String, _ body: @Sendable () async throws -> T) async throws -> T {
        let deadline = ContinuousClock.now + .seconds(wait)
        var hasTold = false
        while true {
            let problem: any Error
            do { return try await body() } catch let error as MessagingError where error.code == .unavailable {
                problem = error
            } catch let error as StorageError where error.code == .unavailable {
                problem = error
            }
            if ContinuousClock.now > deadline { throw problem }
            if !hasTold { Output.error("waiting for \(what): \(problem)") }
            hasTold = true
            try await Task.sleep(for: .seconds(1))
        }
    }
}
