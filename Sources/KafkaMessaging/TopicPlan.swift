import Messaging
import TimeSeries

/// How a topic should be.
package struct KafkaTopic: Sendable, Equatable {
    package enum Cleanup: String, Sendable {
        case delete, compact
        case compactAndDelete = "compact,delete"
    }

    package var name: String
    /// Fixed for ever: whole shards live in partitions.
    package var partitions: Int
    /// Nil: the brokers' default.
    package var replication: Int?
    /// Nil: the brokers' default.
    package var minInSyncReplicas: Int?
    /// How long records are kept, milliseconds; -1 for ever. Nil: the brokers' default.
    package var retention: Milliseconds?
    /// Bytes kept in each partition; -1 is no limit. Nil: the brokers' default.
    package var retentionBytes: Int64?
    package var cleanup = Cleanup.delete
    /// The largest batch of records, bytes. Nil: the brokers' default, 1 MiB.
    package var maxMessageBytes: Int?
    /// Further settings of the topic by Kafka's names.
    package var settings: [String: String] = [:]

    package init(_ name: String, partitions: Int, replication: Int? = nil) {
        self.name = name
        self.partitions = partitions
        self.replication = replication
    }

    /// Kafka's names and values of what is asked for. Append times are the broker's: they are what the log promises.
    var configuration: [String: String] {
        var all = ["cleanup.policy": cleanup.rawValue, "message.timestamp.type": "LogAppendTime"]
        all["min.insync.replicas"] = minInSyncReplicas.map { "\($0)" }
        all["retention.ms"] = retention.map { "\($0)" }
        all["retention.bytes"] = retentionBytes.map { "\($0)" }
        all["max.message.bytes"] = maxMessageBytes.map { "\($0)" }
        return all.merging(settings) { $1 }
    }

    /// What is wrong with it, before any broker is asked.
    func problem() -> String? {
        let allowed = name.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || [45, 46, 95].contains($0)
        }
        if !allowed || !(1...249).contains(name.utf8.count) || name == "." || name == ".." {
            return "\"\(name)\" is no name of a topic: 1 to 249 letters, digits, '.', '_' or '-' are needed"
        }
        if !(1...Shard.count).contains(partitions) {
            return "topic \(name): \(partitions) partitions; a number from 1 to \(Shard.count) is needed, the number of shards"
        }
        if let replication, !(1...32767).contains(replication) { return "topic \(name): replication \(replication) is not possible" }
        if let minInSyncReplicas, minInSyncReplicas < 1 || replication.map({ minInSyncReplicas > $0 }) ?? false {
            return "topic \(name): \(minInSyncReplicas) in-sync replicas cannot be had with replication \(replication ?? 1)"
        }
        return nil
    }
}

/// How a topic is.
package struct ExistingTopic: Sendable, Equatable {
    package var partitions: Int
    package var replication: Int
    /// All settings by Kafka's names. Empty: the broker did not tell.
    package var configuration: [String: String]

    package init(partitions: Int, replication: Int, configuration: [String: String]) {
        self.partitions = partitions
        self.replication = replication
        self.configuration = configuration
    }
}

/// What to do so that all topics are as they should be: a pure function of what is wanted and what there is.
package struct TopicPlan: Sendable, Equatable {
    package enum Action: Sendable, Equatable {
        case create(KafkaTopic)
        /// It is as it should be.
        case keep(String)
        /// It differs in what can be changed while it is used; each line says how. Nothing is changed.
        case differs(String, [String])
        /// It cannot be had without a migration, or at all.
        case refuse(String, String)
    }

    package var actions: [Action] = []

    package init(wanted: [KafkaTopic], existing: [String: ExistingTopic]) {
        var seen: Set<String> = []
        for topic in wanted {
            if !seen.insert(topic.name).inserted {
                actions.append(.refuse(topic.name, "topic \(topic.name) is named twice; each topic needs a name of its own"))
            } else {
                actions.append(TopicPlan.action(topic, existing[topic.name]))
            }
        }
    }

    private static func action(_ wanted: KafkaTopic, _ existing: ExistingTopic?) -> Action {
        if let problem = wanted.problem() { return .refuse(wanted.name, problem) }
        guard let existing else { return .create(wanted) }
        if existing.partitions != wanted.partitions {
            return .refuse(
                wanted.name,
                "topic \(wanted.name) has \(existing.partitions) partitions, the configuration says \(wanted.partitions). Shards and their "
                    + "state belong to partitions, so the number never changes: set it back, or migrate to a new topic name (stop collect, "
                    + "let analyze and store take all that is there, configure a new name with \(wanted.partitions) partitions, run "
                    + "`almanac init`, start again; results and chunks in the store stay valid)")
        }
        var differences: [String] = []
        if let replication = wanted.replication, replication != existing.replication {
            differences.append(
                "topic \(wanted.name) has replication \(existing.replication), the configuration says \(replication): "
                    + "left as it is, kafka-reassign-partitions.sh changes it")
        }
        for (name, value) in wanted.configuration.sorted(by: { $0.key < $1.key }) {
            guard let current = existing.configuration[name], current != value else { continue }
            differences.append(
                "topic \(wanted.name) has \(name)=\(current), the configuration says \(value): left as it is, kafka-configs.sh --alter "
                    + "--entity-type topics --entity-name \(wanted.name) --add-config \(name)=\(value) changes it")
        }
        return differences.isEmpty ? .keep(wanted.name) : .differs(wanted.name, differences)
    }

    package var refusals: [String] {
        actions.compactMap { if case .refuse(_, let reason) = $0 { reason } else { nil } }
    }

    var creations: [KafkaTopic] {
        actions.compactMap { if case .create(let topic) = $0 { topic } else { nil } }
    }

    /// One line or more for each topic, for people.
    package var report: [String] {
        actions.flatMap { action -> [String] in
            switch action {
            case .create(let topic):
                let settings = topic.configuration.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
                let replication = topic.replication.map { "replication \($0)" } ?? "the brokers' replication"
                return ["topic \(topic.name): created with \(topic.partitions) partitions, \(replication), \(settings)"]
            case .keep(let name): return ["topic \(name): there already"]
            case .differs(let name, let lines): return ["topic \(name): there already"] + lines
            case .refuse(_, let reason): return ["refused: \(reason)"]
            }
        }
    }
}
