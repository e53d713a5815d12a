import CRdKafka
import Glibc
import Logging
import Messaging
import Telemetry
import TimeSeries

// On the consumer's thread, as all of it.
extension ConsumerCore {
    // MARK: Committing and seeking

    func commit(_ offsets: [TopicPartition: Offset]) throws {
        guard let group else { throw MessagingError(.usage, "a tail belongs to no group and cannot commit") }
        var own = offsets.filter { positions.holds($0.key) }
        if case .assign(let places) = change { own.merge(offsets.filter { places.contains($0.key) }) { $1 } }
        context.metrics.fencedCommits.add(offsets.count - own.count)
        for (place, offset) in own where offset < 0 {
            throw MessagingError(.usage, "offset \(offset) cannot be committed for \(place.topic) partition \(place.partition)")
        }
        if own.isEmpty { return }
        let deadline = ContinuousClock.now + .milliseconds(options.requestTimeout)
        while true {
            try checkOpen()
            let error = try commitOnce(own, until: deadline)
            if error.isNone {
                context.metrics.commits.add(own.count)
                return
            }
            context.metrics.error(error)
            if error.isFenced {
                // The group has gone on without this member; the next poll says so. Who has the partitions now begins further back.
                context.metrics.fencedCommits.add(own.count)
                context.log(.warning, error.name, "the group \(group) does not take offsets of this member any more: \(error.text)")
                return
            }
            guard error.isTransient, .now + .milliseconds(100) < deadline else {
                throw error.messagingError("committing offsets of the group \(group)", problem: context.problem)
            }
            usleep(100_000)
        }
    }

    private func commitOnce(_ offsets: [TopicPartition: Offset], until deadline: ContinuousClock.Instant) throws -> KafkaError {
        guard let replies = rd_kafka_queue_new(handle) else { throw MessagingError(.unavailable, "no memory for a Kafka queue") }
        defer { rd_kafka_queue_destroy(replies) }
        let code = try PartitionList.with(offsets) { rd_kafka_commit_queue(handle, $0, replies, nil, nil) }
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { return KafkaError(code) }
        while true {
            if let event = rd_kafka_queue_poll(replies, 100) {
                defer { rd_kafka_event_destroy(event) }
                let error = KafkaError(rd_kafka_event_error(event))
                if !error.isNone { return error }
                return PartitionList.entries(rd_kafka_event_topic_partition_list(event)).first { !$0.error.isNone }?.error ?? error
            }
            try checkOpen()
            if .now >= deadline { return KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT) }
        }
    }

    func seek(_ place: TopicPartition, to offset: Offset) throws {
        let offset = max(0, offset)
        if case .assign(let places) = change, places.contains(place) {
            starts[place] = offset
            return
        }
        guard positions.holds(place) else {
            throw MessagingError(
                .usage, "cannot seek in \(place.topic) partition \(place.partition): it is not assigned to this consumer")
        }
        if group == nil {
            // Nobody else decides on a tail's partitions: taken anew, they begin where they should in any state of the fetcher.
            if let error = incrementallyUnassign([place]) ?? incrementallyAssign([place: offset]) { throw error }
        } else {
            try seekInGroup(place, offset)
        }
        positions.begin(place, at: offset)
    }

    private func seekInGroup(_ place: TopicPartition, _ offset: Offset) throws {
        guard let topic = rd_kafka_topic_new(handle, place.topic, nil) else {
            throw MessagingError(.usage, "\"\(place.topic)\" is no name of a Kafka topic")
        }
        defer { rd_kafka_topic_destroy(topic) }
        let deadline = ContinuousClock.now + .milliseconds(options.requestTimeout)
        while true {
            let error = KafkaError(rd_kafka_seek(topic, place.partition, offset, 1000))
            if error.isNone { return }
            // The fetcher of the partition has not begun yet.
            let isEarly = error.code == RD_KAFKA_RESP_ERR__STATE || error.isTransient
            guard isEarly, .now < deadline else {
                throw error.messagingError("seeking in \(place.topic) partition \(place.partition)", problem: context.problem)
            }
            usleep(20_000)
        }
    }

    // MARK: Housekeeping

    func measureLag() {
        guard let group, ContinuousClock.now >= nextLag else { return }
        nextLag = .now + .seconds(1)
        for (place, position) in positions.next {
            var low: Int64 = 0
            var high: Int64 = 0
            let code = rd_kafka_get_watermark_offsets(handle, place.topic, place.partition, &low, &high)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR, high >= 0 else { continue }
            context.metrics.lag(group: group, place, max(0, high - max(position, low)))
        }
    }

    /// A tail reads partitions that were added to its topics, from their beginning.
    func refreshPartitions() {
        guard ContinuousClock.now >= nextRefresh else { return }
        nextRefresh = .now + .milliseconds(options.partitionRefresh)
        let questions = KafkaQuestions(client.client, timeout: min(1000, options.requestTimeout))
        for topic in topics {
            guard let places = try? questions.places(topic) else { continue }
            let new = places.filter { !positions.holds($0) }
            if new.isEmpty { continue }
            context.log(.info, "PARTITIONS", "\(topic) has \(new.count) partitions more; they are read from their beginning")
            try? add(Dictionary(new.map { ($0, Offset(RD_KAFKA_OFFSET_BEGINNING)) }, uniquingKeysWith: { a, _ in a }))
        }
    }
}
