import Backfilling
import Glibc
import History
import Logging
import Messaging
import Settings
import Storage
import Telemetry
import TimeSeries

/// A backfill as the command line and the configuration ask for it; the same for this machine and for a cluster.
struct BackfillSetup: Sendable {
    var job: BackfillJob
    var configuration: Configuration
    var jobs: Int
    var stateDirectory: String
    /// Of files without times: the time of the first row and the distance of rows.
    var grid: (start: Milliseconds, step: Milliseconds)?

    /// Opens the output. Throws what is wrong with it.
    func openOutput() async throws -> OpenedOutput {
        let logger = Logger(label: "backfill")
        switch try BackfillOutput(job.output) {
        case .files(let directory): return OpenedOutput(sink: try FilesSink(directory: directory)) {}
        case .store:
            let store = try openStore()
            return OpenedOutput(sink: StoreSink(store: store, logger: logger)) { await store.close() }
        case .topic:
            let log = try await Backends.openLog(configuration, MetricRegistry())
            let topic = configuration.topics.prometheusdata
            return OpenedOutput(sink: TopicSink(log: log, topic: topic, logger: logger)) { await log.close() }
        }
    }

    /// The folder of `files:DIR`.
    var outputDirectory: String? {
        if case .files(let directory)? = try? BackfillOutput(job.output) { directory } else { nil }
    }

    /// Which store and topic the words `store` and `topic` stand for: two configurations are two jobs.
    var places: [(name: String, value: String)] {
        var places: [(name: String, value: String)] = []
        if job.input == "store" || job.output == "store" {
            let store = configuration.store
            let place =
                switch store.kind {
                case .sqlite: configuration.data
                case .mysql: "\(store.mysql.socket ?? "\(store.mysql.host):\(store.mysql.port)")/\(store.mysql.database)"
                case .cassandra: "\(store.cassandra.hosts.joined(separator: ","))/\(store.cassandra.keyspace)"
                }
            places.append(("store", "\(store.kind.rawValue) \(place)"))
        }
        if job.output == "topic" {
            let messaging = configuration.messaging
            let place = messaging.kind == .kafka ? messaging.kafka.brokers.joined(separator: ",") : configuration.data
            places.append(("topic", "\(place) \(configuration.topics.prometheusdata)"))
        }
        return places
    }

    func nothingLeft(parts: Int) -> String {
        "nothing was left to do: \(stateDirectory) has all \(parts) parts of this job as done; remove it, or give another --state, to do it again"
    }

    /// What a store will not keep.
    var warnings: [String] {
        guard job.output == "store" else { return [] }
        let store = configuration.store
        var warnings = [
            "the store lets rows go that are older than \(DurationNotation.text(store.retention.windows)) (store.retention)"
        ]
        if job.options.every % store.historyInterval != 0 {
            warnings.append(
                "of its history the store keeps the rows whose time is a multiple of \(DurationNotation.text(store.historyInterval)) "
                    + "(store.history_interval), not one every \(DurationNotation.text(job.options.every))")
        }
        return warnings
    }

    /// Why an input may have nothing.
    var emptyHint: String {
        let reads =
            job.input == "store" || job.input.hasPrefix("sqlite:")
            ? "only sealed chunks are read, the last hour is not sealed yet" : "the files have no rows"
        return job.match.isEmpty ? reads : "no series matches, or \(reads)"
    }

    /// The store whose raw archive is the input; the caller closes it.
    func openArchive(_ input: BackfillInput) throws -> any ResultStore {
        guard case .sqlite(let path) = input else { return try openStore() }
        guard access(path, R_OK) == 0 else { throw Failure("\(path) cannot be read: \(String(cString: strerror(errno)))") }
        var options = SQLiteStoreOptions(path: path)
        options.isReadOnly = true
        return try SQLiteStore(options)
    }

    /// The store of the configuration.
    func openStore() throws -> any ResultStore {
        if configuration.store.kind == .sqlite { try DataDirectory.prepare(configuration.data) }
        return try Backends.openStore(configuration, MetricRegistry())
    }
}

/// A sink and how to let go of what stands behind it.
struct OpenedOutput: Sendable {
    var sink: any HistorySink
    var close: @Sendable () async -> Void
}

/// The forms of `--output`.
enum BackfillOutput: Equatable {
    case files(String)
    case store
    case topic

    init(_ text: String) throws {
        if text == "store" {
            self = .store
        } else if text == "topic" {
            self = .topic
        } else if text.hasPrefix("files:"), text.utf8.count > 6 {
            self = .files(String(text.dropFirst(6)))
        } else {
            throw Failure("--output \(text): give files:DIR, store or topic")
        }
    }
}

/// The forms of `--input` on this machine.
enum BackfillInput: Equatable {
    case store
    case sqlite(String)
    case prometheus(String)
    case files(String)

    init(_ text: String) throws {
        if text == "store" {
            self = .store
        } else if text.hasPrefix("sqlite:") {
            self = .sqlite(String(text.dropFirst(7)))
        } else if text.hasPrefix("prometheus:") {
            self = .prometheus(String(text.dropFirst(11)))
        } else if text.isEmpty {
            throw Failure("--input is empty: give a file, a folder, store, sqlite:PATH or prometheus:URL")
        } else {
            self = .files(text)
        }
    }
}
