import CRdKafka
import Logging
import Messaging
import Synchronization
import Telemetry
import TimeSeries

/// What a consumer does, on its thread. Only `wake`, `interrupt` and `checkOpen` may be called from elsewhere.
///
/// A change of the group's division is told in a batch of its own and carried out when the owner polls again: until then it may commit
/// for what it loses and seek in what it gets, and nobody else can have the partition. Only what is lost already (the member was
/// silent for too long) is given up at once. A member that the group has forgotten while a change was under way begins anew with
/// another client: librdkafka would go on with the partitions that it believes to have.
final class ConsumerCore: @unchecked Sendable {
    enum Membership {
        case group(String, [String])
        case tail([String], [TopicPartition: Offset])
    }

    enum Change {
        case assign([TopicPartition])
        case unassign([TopicPartition])
    }

    private let current: Mutex<ConsumerClient>
    let options: KafkaOptions
    let group: String?
    let topics: [String]
    let context: KafkaContext
    private let closed = Mutex<String?>(nil)

    // Confined to the thread.
    private(set) var client: ConsumerClient
    /// This client's name in the group when it last got partitions.
    private var memberID = ""
    /// The group has forgotten this member: a new client is needed.
    private var isForgotten = false
    /// The group has handed out its partitions to this member, maybe none, and has not taken them away since.
    private var hasPart = false
    var isMember: Bool { group == nil || hasPart }
    private var lastPoll = ContinuousClock.Instant.now
    var positions = ConsumerPositions()
    private var reader = KafkaRecordReader()
    /// Told by the next poll.
    private var announcement: ConsumedBatch?
    /// Carried out by the poll after.
    private(set) var change: Change?
    /// Where to begin in partitions that are about to be assigned.
    var starts: [TopicPartition: Offset] = [:]
    private var isDoubtful = false
    private var failure: MessagingError?
    var nextRefresh = ContinuousClock.Instant.now
    var nextLag = ContinuousClock.Instant.now
    private var hasEnded = false

    var handle: OpaquePointer { client.handle }

    init(_ options: KafkaOptions, membership: Membership, context: KafkaContext) throws {
        self.options = options
        let name: String
        switch membership {
        case .group(let group, let topics): (self.group, self.topics, name) = (group, topics, group)
        case .tail(let topics, _): (group, self.topics, name) = (nil, topics, options.clientID + "-tail")
        }
        self.context = context
        client = try ConsumerClient(options, group: name, context: context)
        current = Mutex(client)
        nextRefresh = .now + .milliseconds(options.partitionRefresh)
        switch membership {
        case .group(_, let topics): try subscribe(topics)
        case .tail(_, let offsets): try add(offsets)
        }
    }

    private func subscribe(_ topics: [String]) throws {
        let wanted = Dictionary(topics.map { (TopicPartition($0, -1), Offset(RD_KAFKA_OFFSET_INVALID)) }, uniquingKeysWith: { a, _ in a })
        client.noteSubscription()
        let code = try PartitionList.with(wanted) { rd_kafka_subscribe(handle, $0) }
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(code).messagingError("joining the group \(group ?? "")") }
    }

    // MARK: From any thread

    func wake() { current.withLock { $0 }.wake() }

    /// Ends a poll under way and refuses all calls from now on.
    func interrupt(because reason: String) {
        closed.withLock { if $0 == nil { $0 = reason } }
        wake()
    }

    func checkOpen() throws {
        if let reason = closed.withLock({ $0 }) { throw MessagingError(.closed, reason) }
    }

    // MARK: Polling

    func poll(maxBytes: Int, timeout: Milliseconds, token: PollToken) throws -> ConsumedBatch {
        if let failure { throw failure }
        if let told = announcement {
            announcement = nil
            return told
        }
        noticeSilence()
        if isForgotten { try beginAnew() }
        try carryOut()
        defer { lastPoll = .now }
        let deadline = ContinuousClock.now + .milliseconds(max(0, min(timeout, 1 << 40)))
        var batch = ConsumedBatch()
        var bytes = 0
        while bytes < maxBytes && announcement == nil && !isForgotten {
            try checkOpen()
            if batch.records.isEmpty && token.isCancelled { throw CancellationError() }
            guard let event = rd_kafka_queue_poll(client.queue, batch.records.isEmpty ? wait(until: deadline) : 0) else {
                if !batch.records.isEmpty || ContinuousClock.now >= deadline { break }
                continue
            }
            defer { rd_kafka_event_destroy(event) }
            do {
                try take(event, &batch, &bytes)
            } catch {
                // What was read before must not be lost.
                if batch.records.isEmpty { throw error }
                failure = (error as? MessagingError).flatMap { $0.code == .usage ? $0 : nil }
                break
            }
        }
        return try finish(batch)
    }

    /// After a long pause (the process was stopped, or busy) there may be much in the queue that others have by now: the library is
    /// asked first whether the group still knows this member.
    private func noticeSilence() {
        guard group != nil, !memberID.isEmpty, .now - lastPoll > .milliseconds(options.sessionTimeout / 2) else { return }
        if client.memberID != memberID { isForgotten = true }
    }

    private func wait(until deadline: ContinuousClock.Instant) -> Int32 {
        let left = (deadline - .now).components
        let milliseconds = left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000
        // In pieces: should a wake-up be lost, it costs no more than this.
        return Int32(clamping: max(0, min(250, milliseconds + (left.attoseconds > 0 ? 1 : 0))))
    }

    private func finish(_ batch: ConsumedBatch) throws -> ConsumedBatch {
        count(batch.records)
        measureLag()
        if !batch.records.isEmpty {
            isDoubtful = false
            return batch
        }
        if isForgotten { try beginAnew() }
        if let told = announcement {
            announcement = nil
            return told
        }
        if isDoubtful { try probe() }
        if group == nil { refreshPartitions() }
        return batch
    }

    private func take(_ event: OpaquePointer, _ batch: inout ConsumedBatch, _ bytes: inout Int) throws {
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_FETCH:
            while let message = rd_kafka_event_message_next(event) {
                let code = message.pointee.err
                if code == RD_KAFKA_RESP_ERR_NO_ERROR {
                    take(message, &batch, &bytes)
                } else {
                    let text = rd_kafka_message_errstr(message).map { String(cString: $0) } ?? ""
                    try take(KafkaError(code), text, isFatal: false)
                }
            }
        case RD_KAFKA_EVENT_REBALANCE: rebalance(event)
        case RD_KAFKA_EVENT_ERROR:
            try take(
                KafkaError(rd_kafka_event_error(event)), String(cString: rd_kafka_event_error_string(event)),
                isFatal: rd_kafka_event_error_is_fatal(event) != 0)
        default: break
        }
    }

    private func take(_ message: UnsafePointer<rd_kafka_message_t>, _ batch: inout ConsumedBatch, _ bytes: inout Int) {
        let record = reader.record(message)
        let place = TopicPartition(record.topic, record.partition)
        if let gap = positions.advance(place, to: record.offset) {
            context.metrics.offsetReset(topic: record.topic)
            context.log(
                .warning, "OFFSETRESET",
                "\(place.topic) partition \(place.partition): offset \(gap) is not there any more, reading goes on at \(record.offset)")
        }
        bytes += max(1, message.pointee.len + message.pointee.key_len)
        batch.records.append(record)
    }

    private func take(_ error: KafkaError, _ text: String, isFatal: Bool) throws {
        context.report(error, text)
        if isFatal || error.code == RD_KAFKA_RESP_ERR__FATAL {
            let failure = MessagingError(.usage, "this consumer has failed for good: \(text)")
            self.failure = failure
            throw failure
        }
        if error.code == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED { isForgotten = true }
        if error.isConnection || error.isAuthentication { isDoubtful = true }
        if error.isUnknownTopic || error.code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
            || error.code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED && group != nil
        {
            throw error.messagingError("reading \(topics.joined(separator: ", "))")
        }
    }

    /// Errors were heard and no records came: is there a broker?
    private func probe() throws {
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(handle, 0, nil, &metadata, Int32(clamping: min(1000, options.requestTimeout)))
        if let metadata { rd_kafka_metadata_destroy(metadata) }
        if code != RD_KAFKA_RESP_ERR_NO_ERROR {
            throw KafkaError(code).messagingError("reading \(topics.joined(separator: ", "))", problem: context.problem)
        }
        isDoubtful = false
        context.note(nil)
    }

    private func count(_ records: [ConsumerRecord]) {
        var start = 0
        while start < records.count {
            var end = start
            var bytes = 0
            while end < records.count, records[end].topic == records[start].topic {
                bytes += records[end].value.count
                end += 1
            }
            let flow = context.metrics.consumed(records[start].topic)
            flow.records.add(end - start)
            flow.bytes.add(bytes)
            start = end
        }
    }

    // MARK: The group's division

    private func rebalance(_ event: OpaquePointer) {
        let places = PartitionList.entries(rd_kafka_event_topic_partition_list(event)).map { $0.place }.sorted {
            ($0.topic, $0.partition) < ($1.topic, $1.partition)
        }
        let isAssignment = rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS
        hasPart = isAssignment || (hasPart && rd_kafka_assignment_lost(handle) == 0)
        if isAssignment { client.noteAssignment() }
        if places.isEmpty {
            // Nothing to tell, but the library waits for the call.
            report(isAssignment ? incrementallyAssign([:]) : incrementallyUnassign([]))
            return
        }
        if let group { context.metrics.rebalanced(group: group) }
        var batch = ConsumedBatch()
        if isAssignment {
            batch.assigned = places
            change = .assign(places)
        } else if rd_kafka_assignment_lost(handle) != 0 {
            batch.revoked = places
            context.log(
                .warning, "LOST", "the group \(group ?? "") has given partitions of this member to others: it was silent for too long")
            drop(places)
        } else if client.memberID != memberID {
            isForgotten = true
            return
        } else {
            batch.revoked = places
            change = .unassign(places)
        }
        announcement = batch
    }

    /// Everything is lost; a new client joins the group.
    private func beginAnew() throws {
        guard let group else { return }
        let fresh = try ConsumerClient(options, group: group, context: context)
        context.log(.warning, "LOST", "the group \(group) has forgotten this member, which was silent for too long; it joins anew")
        let former = client
        client = fresh
        current.withLock { $0 = fresh }
        former.endAside()
        var lost = Set(positions.next.keys)
        // Told, but not carried out.
        if let announcement { lost.formUnion(announcement.revoked) }
        if case .assign(let places)? = change { lost.formUnion(places) }
        for place in lost { context.metrics.lag(group: group, place, 0) }
        (positions, change, starts, memberID, isForgotten, hasPart) = (ConsumerPositions(), nil, [:], "", false, false)
        announcement = nil
        if !lost.isEmpty {
            var batch = ConsumedBatch()
            batch.revoked = lost.sorted { ($0.topic, $0.partition) < ($1.topic, $1.partition) }
            announcement = batch
        }
        try subscribe(topics)
    }

    /// Carries out what the last batch told.
    private func carryOut(askCommitted: Bool = true) throws {
        guard let change else { return }
        self.change = nil
        switch change {
        case .unassign(let places):
            guard !askCommitted || client.memberID == memberID else {
                for place in places { positions.end(place) }
                isForgotten = true
                return try beginAnew()
            }
            drop(places)
        case .assign(let places):
            var offsets = Dictionary(places.map { ($0, Offset(RD_KAFKA_OFFSET_INVALID)) }, uniquingKeysWith: { a, _ in a })
            offsets.merge(starts.filter { offsets[$0.key] != nil }) { $1 }
            starts = [:]
            if askCommitted { addCommitted(&offsets) }
            for (place, offset) in offsets { positions.begin(place, at: offset) }
            report(incrementallyAssign(offsets))
            memberID = client.memberID
        }
    }

    /// Puts in what the group has committed, so that it is known where reading should begin. If that fails, the library finds it later.
    private func addCommitted(_ offsets: inout [TopicPartition: Offset]) {
        let wanted = offsets.filter { $0.value == Offset(RD_KAFKA_OFFSET_INVALID) }
        if wanted.isEmpty { return }
        let answer = try? PartitionList.with(wanted) { list -> [PartitionList.Entry] in
            let code = rd_kafka_committed(handle, list, Int32(clamping: min(5000, options.requestTimeout)))
            return code == RD_KAFKA_RESP_ERR_NO_ERROR ? PartitionList.entries(list) : []
        }
        for entry in answer ?? [] where entry.error.isNone {
            offsets[entry.place] = entry.offset >= 0 ? entry.offset : Offset(RD_KAFKA_OFFSET_BEGINNING)
        }
    }

    private func drop(_ places: [TopicPartition]) {
        for place in places {
            positions.end(place)
            if let group { context.metrics.lag(group: group, place, 0) }
        }
        report(incrementallyUnassign(places))
    }

    func add(_ offsets: [TopicPartition: Offset]) throws {
        for (place, offset) in offsets { positions.begin(place, at: offset) }
        if let error = incrementallyAssign(offsets) { throw error }
    }

    func incrementallyAssign(_ offsets: [TopicPartition: Offset]) -> MessagingError? {
        library("taking partitions") { try PartitionList.with(offsets) { rd_kafka_incremental_assign(handle, $0) } }
    }

    func incrementallyUnassign(_ places: [TopicPartition]) -> MessagingError? {
        let offsets = Dictionary(places.map { ($0, Offset(RD_KAFKA_OFFSET_INVALID)) }, uniquingKeysWith: { a, _ in a })
        return library("giving partitions up") { try PartitionList.with(offsets) { rd_kafka_incremental_unassign(handle, $0) } }
    }

    private func library(_ doing: String, _ call: () throws -> OpaquePointer?) -> MessagingError? {
        do {
            return KafkaError.take(try call()).map { MessagingError(.unavailable, "\(doing): \($0.text)") }
        } catch {
            return MessagingError(.unavailable, "\(doing): \(error)")
        }
    }

    private func report(_ error: MessagingError?) {
        if let error { context.log(.error, "ASSIGN", error.message) }
    }

    // MARK: Ending

    /// Leaves the group and frees the client. The last job of the thread.
    func end() {
        if hasEnded { return }
        hasEnded = true
        // The library waits for the answer to a change before it can leave.
        try? carryOut(askCommitted: false)
        if let group { for place in positions.next.keys { context.metrics.lag(group: group, place, 0) } }
        client.end()
    }
}
