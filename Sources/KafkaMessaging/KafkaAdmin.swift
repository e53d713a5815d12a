import CRdKafka
import Glibc
import Logging
import Messaging
import Telemetry
import TimeSeries

/// Makes and describes topics.
package final class KafkaAdmin: Sendable {
    private let client: KafkaClient
    private let threads: BlockingThreads
    private let timeout: Milliseconds

    /// Throws `.usage` for options that do not fit. No broker is needed yet.
    package init(_ options: KafkaOptions, logger: Logger) throws {
        try options.check()
        timeout = options.requestTimeout
        threads = try BlockingThreads(name: "kafka")
        let context = KafkaContext(metrics: KafkaMetrics(MetricRegistry()), logger: logger)
        client = try KafkaClient(.consumer, options.questions, events: 0, context: context)
    }

    deinit {
        let client = client
        threads.submit { client.destroy() }
        threads.stop()
    }

    /// Makes the topics that are missing and waits until every broker that is asked knows them. What exists is left as it is.
    /// Gives what it did. Throws `.usage` with all reasons, before anything is made, if a topic cannot be as it should be: above all,
    /// the number of partitions of an existing topic never changes. Throws `.unavailable` while there is no broker.
    package func create(_ topics: [KafkaTopic]) async throws -> TopicPlan {
        try await threads.run { try self.createBlocking(topics) }
    }

    /// How topics are; absent where there is none.
    package func describe(_ names: [String]) async throws -> [String: ExistingTopic] {
        try await threads.run { try self.describeBlocking(names) }
    }

    package func close() async {
        let client = client
        _ = try? await threads.run { client.destroy() }
        threads.stop()
    }

    // MARK: Creating

    private func createBlocking(_ topics: [KafkaTopic]) throws -> TopicPlan {
        let valid = topics.filter { $0.problem() == nil }.map { $0.name }
        let plan = TopicPlan(wanted: topics, existing: try describeBlocking(valid))
        if !plan.refusals.isEmpty { throw MessagingError(.usage, plan.refusals.joined(separator: "\n")) }
        if plan.creations.isEmpty { return plan }
        let others = try make(plan.creations)
        try awaitTopics(plan.creations)
        if others.isEmpty { return plan }
        // Someone else was faster with some of them: are those as they should be?
        var after = TopicPlan(wanted: topics, existing: try describeBlocking(topics.map { $0.name }))
        if !after.refusals.isEmpty { throw MessagingError(.usage, after.refusals.joined(separator: "\n")) }
        for (i, action) in plan.actions.enumerated() {
            if case .create(let topic) = action, !others.contains(topic.name) { after.actions[i] = action }
        }
        return after
    }

    /// Gives the names of those that existed all of a sudden.
    private func make(_ topics: [KafkaTopic]) throws -> Set<String> {
        var requests: [OpaquePointer?] = []
        defer { for request in requests { if let request { rd_kafka_NewTopic_destroy(request) } } }
        for topic in topics { requests.append(try request(topic)) }
        let event = try ask(RD_KAFKA_ADMIN_OP_CREATETOPICS, "making topics") { options, queue in
            rd_kafka_CreateTopics(client.handle, &requests, requests.count, options, queue)
        }
        defer { rd_kafka_event_destroy(event) }
        var count = 0
        guard let answer = rd_kafka_event_CreateTopics_result(event), let results = rd_kafka_CreateTopics_result_topics(answer, &count)
        else { throw MessagingError(.unavailable, "making topics: no answer") }
        var existing: Set<String> = []
        for i in 0..<count {
            guard let result = results[i] else { continue }
            let name = String(cString: rd_kafka_topic_result_name(result))
            let error = KafkaError(rd_kafka_topic_result_error(result))
            if error.isNone { continue }
            let text = rd_kafka_topic_result_error_string(result).map { String(cString: $0) }
            if let refusal = KafkaAdmin.refusal(name, error, text) { throw refusal }
            existing.insert(name)
        }
        return existing
    }

    private func request(_ topic: KafkaTopic) throws -> OpaquePointer {
        let replication = Int32(topic.replication ?? -1)
        let (made, text) = KafkaConfiguration.withErrorText {
            rd_kafka_NewTopic_new(topic.name, Int32(topic.partitions), replication, $0, $1)
        }
        guard let made else { throw MessagingError(.usage, "topic \(topic.name): \(text)") }
        for (name, value) in topic.configuration { rd_kafka_NewTopic_set_config(made, name, value) }
        return made
    }

    /// What a broker's error on making a topic means; nil if the topic is there.
    static func refusal(_ topic: String, _ error: KafkaError, _ text: String?) -> MessagingError? {
        let told = text ?? error.text
        switch error.code {
        case RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS: return nil
        case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
            return MessagingError(.usage, "topic \(topic): there are fewer brokers than replicas are asked for (\(told))")
        case RD_KAFKA_RESP_ERR_INVALID_CONFIG, RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
            RD_KAFKA_RESP_ERR_INVALID_REQUEST, RD_KAFKA_RESP_ERR_POLICY_VIOLATION, RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION,
            RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
            return MessagingError(.usage, "topic \(topic): the broker refuses to make it: \(told)")
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
            return MessagingError(.usage, "topic \(topic): the client's user may not make topics; it needs the ACL CREATE (\(told))")
        default: return MessagingError(.unavailable, "topic \(topic): \(told)")
        }
    }

    /// A topic is known some time after it was made.
    private func awaitTopics(_ topics: [KafkaTopic]) throws {
        let deadline = ContinuousClock.now + .milliseconds(timeout)
        var missing = topics
        while true {
            let existing = try metadata()
            missing.removeAll { existing[$0.name]?.hasLeaders ?? false }
            if missing.isEmpty { return }
            if .now >= deadline {
                let names = missing.map { $0.name }.joined(separator: ", ")
                throw MessagingError(.unavailable, "made, but without a leader for every partition yet: \(names)")
            }
            usleep(50_000)
        }
    }

    // MARK: Describing

    private struct Layout {
        var partitions: Int
        var replication: Int
        var hasLeaders: Bool
    }

    /// All topics of the cluster.
    private func metadata() throws -> [String: Layout] {
        var answer: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(client.handle, 1, nil, &answer, Int32(clamping: timeout))
        if code != RD_KAFKA_RESP_ERR_NO_ERROR {
            throw KafkaError(code).messagingError("asking for the topics", problem: client.context.problem)
        }
        guard let answer else { throw MessagingError(.unavailable, "asking for the topics: no answer") }
        defer { rd_kafka_metadata_destroy(answer) }
        var layouts: [String: Layout] = [:]
        for i in 0..<Int(answer.pointee.topic_cnt) {
            let topic = answer.pointee.topics[i]
            if topic.err != RD_KAFKA_RESP_ERR_NO_ERROR && topic.err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE { continue }
            let partitions = (0..<Int(topic.partition_cnt)).map { topic.partitions[$0] }
            layouts[String(cString: topic.topic)] = Layout(
                partitions: partitions.count, replication: Int(partitions.map { $0.replica_cnt }.max() ?? 0),
                hasLeaders: !partitions.isEmpty && partitions.allSatisfy { $0.leader >= 0 })
        }
        return layouts
    }

    private func describeBlocking(_ names: [String]) throws -> [String: ExistingTopic] {
        let layouts = try metadata().filter { names.contains($0.key) && $0.value.partitions > 0 }
        let configurations = layouts.isEmpty ? [:] : try self.configurations(Array(layouts.keys))
        return Dictionary(
            uniqueKeysWithValues: layouts.map {
                let configuration = configurations[$0.key] ?? [:]
                return (
                    $0.key,
                    ExistingTopic(partitions: $0.value.partitions, replication: $0.value.replication, configuration: configuration)
                )
            })
    }

    /// Settings by topic; without those that the broker does not tell.
    private func configurations(_ topics: [String]) throws -> [String: [String: String]] {
        var resources: [OpaquePointer?] = topics.map { rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, $0) }
        defer { for resource in resources { if let resource { rd_kafka_ConfigResource_destroy(resource) } } }
        let event: OpaquePointer
        do {
            event = try ask(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, "asking for the settings of topics") { options, queue in
                rd_kafka_DescribeConfigs(client.handle, &resources, resources.count, options, queue)
            }
        } catch {
            // They are for information only.
            client.context.log(.warning, "DESCRIBE", "the settings of existing topics are not compared: \(error)")
            return [:]
        }
        defer { rd_kafka_event_destroy(event) }
        var count = 0
        guard let answer = rd_kafka_event_DescribeConfigs_result(event),
            let results = rd_kafka_DescribeConfigs_result_resources(answer, &count)
        else { return [:] }
        var all: [String: [String: String]] = [:]
        for i in 0..<count {
            guard let result = results[i], rd_kafka_ConfigResource_error(result) == RD_KAFKA_RESP_ERR_NO_ERROR else { continue }
            all[String(cString: rd_kafka_ConfigResource_name(result))] = KafkaAdmin.entries(result)
        }
        return all
    }

    private static func entries(_ resource: OpaquePointer) -> [String: String] {
        var count = 0
        guard let list = rd_kafka_ConfigResource_configs(resource, &count) else { return [:] }
        var entries: [String: String] = [:]
        for i in 0..<count {
            guard let entry = list[i], let value = rd_kafka_ConfigEntry_value(entry) else { continue }
            entries[String(cString: rd_kafka_ConfigEntry_name(entry))] = String(cString: value)
        }
        return entries
    }

    /// Sends an admin request and waits for its answer, which the caller destroys.
    private func ask(
        _ operation: rd_kafka_admin_op_t, _ doing: String, _ send: (_ options: OpaquePointer, _ queue: OpaquePointer) -> Void
    ) throws -> OpaquePointer {
        guard let queue = rd_kafka_queue_new(client.handle), let options = rd_kafka_AdminOptions_new(client.handle, operation) else {
            throw MessagingError(.unavailable, "no memory for a Kafka request")
        }
        defer {
            rd_kafka_AdminOptions_destroy(options)
            rd_kafka_queue_destroy(queue)
        }
        rd_kafka_AdminOptions_set_request_timeout(options, Int32(clamping: timeout), nil, 0)
        if operation == RD_KAFKA_ADMIN_OP_CREATETOPICS {
            rd_kafka_AdminOptions_set_operation_timeout(options, Int32(clamping: timeout), nil, 0)
        }
        send(options, queue)
        guard let event = rd_kafka_queue_poll(queue, Int32(clamping: 2 * timeout + 1000)) else {
            throw MessagingError(.unavailable, "\(doing): no answer in time")
        }
        let error = KafkaError(rd_kafka_event_error(event))
        if error.isNone { return event }
        let text = String(cString: rd_kafka_event_error_string(event))
        rd_kafka_event_destroy(event)
        if error.code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE {
            throw MessagingError(.usage, "\(doing): the brokers do not offer it (\(text))")
        }
        throw MessagingError(.unavailable, "\(doing): \(text)")
    }
}
