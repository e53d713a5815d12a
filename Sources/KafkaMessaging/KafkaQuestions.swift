import CRdKafka
import Glibc
import Logging
import Messaging
import Synchronization
import TimeSeries

/// Questions to the cluster: partitions, offsets, what groups have committed. Its functions block, at most for the request timeout.
final class KafkaQuestions: Sendable {
    private struct Known {
        var count: Int
        var until: ContinuousClock.Instant
    }

    let client: KafkaClient
    private let timeout: Milliseconds
    private let counts = Mutex<[String: Known]>([:])
    /// How long a number of partitions is believed.
    private static let memory = Duration.seconds(60)

    init(_ client: KafkaClient, timeout: Milliseconds) {
        self.client = client
        self.timeout = timeout
    }

    private var milliseconds: Int32 { Int32(clamping: timeout) }
    private var deadline: ContinuousClock.Instant { .now + .milliseconds(timeout) }

    // MARK: Partitions

    /// The number of partitions that was last heard, and whether it is time to ask again; says so to one caller only. Never blocks.
    func lastPartitionCount(_ topic: String) -> (count: Int, isOld: Bool)? {
        counts.withLock { counts in
            guard let known = counts[topic] else { return nil }
            if known.until > .now { return (known.count, false) }
            counts[topic] = Known(count: known.count, until: .now + .milliseconds(timeout))
            return (known.count, true)
        }
    }

    /// Asks again next time, for example because a broker did not know a partition.
    func forget(_ topic: String) { counts.withLock { $0[topic] = nil } }

    /// Throws `.unavailable`, also for a topic that does not exist.
    func partitionCount(_ topic: String) throws -> Int {
        if let last = lastPartitionCount(topic), !last.isOld { return last.count }
        return try refresh(topic)
    }

    /// Asks the cluster. While it does not answer, what was known is still the best guess.
    @discardableResult
    func refresh(_ topic: String) throws -> Int {
        let former = counts.withLock { $0[topic]?.count }
        do {
            let count = try askPartitionCount(topic)
            if let former, former != count {
                client.context.log(
                    .error, "PARTITIONS",
                    "the topic \(topic) had \(former) partitions and now has \(count): shards are in other partitions than before")
            }
            counts.withLock { $0[topic] = Known(count: count, until: .now + KafkaQuestions.memory) }
            return count
        } catch let error as KafkaError {
            if error.isUnknownTopic { forget(topic) }
            guard let former, !error.isUnknownTopic else {
                throw error.messagingError("asking for the topic \(topic)", problem: client.context.problem)
            }
            counts.withLock { $0[topic] = Known(count: former, until: .now + .seconds(5)) }
            return former
        }
    }

    private func askPartitionCount(_ topic: String) throws -> Int {
        guard let handle = rd_kafka_topic_new(client.handle, topic, nil) else {
            throw MessagingError(.usage, "\"\(topic)\" is no name of a Kafka topic")
        }
        defer { rd_kafka_topic_destroy(handle) }
        var metadata: UnsafePointer<rd_kafka_metadata>?
        try throwing(rd_kafka_metadata(client.handle, 0, handle, &metadata, milliseconds))
        guard let metadata else { throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT) }
        defer { rd_kafka_metadata_destroy(metadata) }
        let missing = KafkaError(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        guard metadata.pointee.topic_cnt > 0 else { throw missing }
        let answer = metadata.pointee.topics[0]
        if answer.err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE { try throwing(answer.err) }
        guard answer.partition_cnt > 0 else { throw missing }
        client.context.note(nil)
        return Int(answer.partition_cnt)
    }

    func places(_ topic: String) throws -> [TopicPartition] {
        (0..<(try partitionCount(topic))).map { TopicPartition(topic, Int32($0)) }
    }

    // MARK: Offsets

    /// The offset that the next record of each partition gets.
    func endOffsets(_ places: [TopicPartition]) throws -> [TopicPartition: Offset] {
        try offsets(Dictionary(places.map { ($0, Offset(RD_KAFKA_OFFSET_END)) }, uniquingKeysWith: { a, _ in a }))
    }

    /// The first offset at or after a time in each partition; the end where there is none.
    func offsets(_ places: [TopicPartition], at time: Milliseconds) throws -> [TopicPartition: Offset] {
        // Before the question: what comes in between is then read, not left out.
        let ends = try endOffsets(places)
        let found = try offsets(Dictionary(places.map { ($0, max(0, time)) }, uniquingKeysWith: { a, _ in a }))
        return ends.merging(found.filter { $0.value >= 0 }) { $1 }
    }

    /// ListOffsets by the timestamps given in place of offsets; -1 (end) and -2 (beginning) are Kafka's own.
    private func offsets(_ wanted: [TopicPartition: Offset]) throws -> [TopicPartition: Offset] {
        let deadline = deadline
        while true {
            do {
                return try PartitionList.with(wanted) { list in
                    try throwing(rd_kafka_offsets_for_times(client.handle, list, milliseconds))
                    var answer: [TopicPartition: Offset] = [:]
                    for entry in PartitionList.entries(list) {
                        if !entry.error.isNone { throw entry.error }
                        answer[entry.place] = entry.offset
                    }
                    return answer
                }
            } catch let error as KafkaError {
                guard error.isTransient, .now + .milliseconds(100) < deadline else {
                    for topic in Set(wanted.keys.map { $0.topic }) { forget(topic) }
                    throw error.messagingError("asking for offsets", problem: client.context.problem)
                }
                usleep(100_000)
            }
        }
    }

    /// What a group has committed; absent where it committed nothing.
    func committed(_ places: [TopicPartition], group: String) throws -> [TopicPartition: Offset] {
        let deadline = deadline
        while true {
            do {
                return try askCommitted(places, group)
            } catch let error as KafkaError {
                guard error.isTransient, .now + .milliseconds(100) < deadline else {
                    throw error.messagingError("asking for the offsets of the group \(group)", problem: client.context.problem)
                }
                usleep(100_000)
            }
        }
    }

    private func askCommitted(_ places: [TopicPartition], _ group: String) throws -> [TopicPartition: Offset] {
        guard let queue = rd_kafka_queue_new(client.handle),
            let options = rd_kafka_AdminOptions_new(client.handle, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS)
        else { throw MessagingError(.unavailable, "no memory for a Kafka request") }
        defer {
            rd_kafka_AdminOptions_destroy(options)
            rd_kafka_queue_destroy(queue)
        }
        rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, nil, 0)
        let wanted = Dictionary(places.map { ($0, Offset(RD_KAFKA_OFFSET_INVALID)) }, uniquingKeysWith: { a, _ in a })
        try PartitionList.with(wanted) { list in
            var request = rd_kafka_ListConsumerGroupOffsets_new(group, list)
            defer { rd_kafka_ListConsumerGroupOffsets_destroy(request) }
            rd_kafka_ListConsumerGroupOffsets(client.handle, &request, 1, options, queue)
        }
        guard let event = rd_kafka_queue_poll(queue, Int32(clamping: timeout + 1000)) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT)
        }
        defer { rd_kafka_event_destroy(event) }
        try throwing(rd_kafka_event_error(event))
        var count = 0
        guard let result = rd_kafka_event_ListConsumerGroupOffsets_result(event),
            let groups = rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count), count == 1, let answer = groups[0]
        else { throw KafkaError(RD_KAFKA_RESP_ERR__BAD_MSG) }
        if let error = rd_kafka_group_result_error(answer) { try throwing(rd_kafka_error_code(error)) }
        var offsets: [TopicPartition: Offset] = [:]
        for entry in PartitionList.entries(rd_kafka_group_result_partitions(answer)) {
            try throwing(entry.error.code)
            if entry.offset >= 0 { offsets[entry.place] = entry.offset }
        }
        return offsets
    }

    private func throwing(_ code: rd_kafka_resp_err_t) throws {
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(code) }
    }
}
