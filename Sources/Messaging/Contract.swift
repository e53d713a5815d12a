import TimeSeries

/// The position of a record in one partition of a topic; grows by at least one from record to record.
package typealias Offset = Int64

/// A record to append. `key` decides the partition (`Int(key's shard) % partitions` for numeric keys) and the order.
package struct ProducerRecord: Sendable {
    package var topic: String
    package var key: RecordKey
    package var value: [UInt8]
    /// A few short name-value pairs, for example the reason on a dead letter.
    package var headers: [RecordHeader]

    package init(topic: String, key: RecordKey, value: [UInt8], headers: [RecordHeader] = []) {
        self.topic = topic
        self.key = key
        self.value = value
        self.headers = headers
    }
}

package struct RecordHeader: Sendable, Equatable {
    package var name: String
    package var value: [UInt8]

    package init(_ name: String, _ value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

/// A shard for topics that are divided by shard, a text (vehicle, route, item) for the others.
package enum RecordKey: Sendable, Hashable {
    case shard(Shard)
    case text(String)
}

/// A record as it was read.
package struct ConsumerRecord: Sendable {
    package var topic: String
    package var partition: Int32
    package var offset: Offset
    /// When the log took it, milliseconds since the epoch, by the log's clock.
    package var appendTime: Milliseconds
    package var key: RecordKey
    package var value: [UInt8]
    package var headers: [RecordHeader]

    package init(
        topic: String, partition: Int32, offset: Offset, appendTime: Milliseconds, key: RecordKey, value: [UInt8],
        headers: [RecordHeader] = []
    ) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.appendTime = appendTime
        self.key = key
        self.value = value
        self.headers = headers
    }
}

package struct TopicPartition: Sendable, Hashable {
    package var topic: String
    package var partition: Int32

    package init(_ topic: String, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }
}

/// Where a reader that belongs to no group begins.
package enum TailStart: Sendable {
    /// Only what is appended from now on.
    case end
    case earliest
    /// The first record that was appended at or after this time.
    case time(Milliseconds)
}

/// What a consumer hands over in one go.
package struct ConsumedBatch: Sendable {
    package var records: [ConsumerRecord] = []
    /// Partitions that came to this member since the last batch. Their records follow from the committed offset, or
    /// from the earliest where none is committed, until the owner `seek`s.
    package var assigned: [TopicPartition] = []
    /// Partitions that have gone to others: stop emitting for them. Comes before `assigned`: a partition in both was lost and came back.
    package var revoked: [TopicPartition] = []
    /// The group has given this member its part, which may be nothing; false while it joins. Always true of a reader in no group.
    package var isMember = true

    package init() {}
}

/// One way of moving records: at least once, ordered per key, durable before `produce` returns.
///
/// Implementations pass the contract suite in `Tests/MessagingContract`.
package protocol MessageLog: Sendable {
    /// Appends all records; returns when every one of them is durable (embedded: after fdatasync; Kafka: all in-sync replicas).
    /// Suspends while the log's bounded queue is full. Throws `MessagingError`; then some records may be durable, and the
    /// caller retries all of them.
    func produce(_ records: [ProducerRecord]) async throws

    /// A member of a group. The group's committed offsets say where it goes on.
    func consumer(topics: [String], group: String) async throws -> any MessageConsumer

    /// A reader of its own, in no group: sees every partition of the topics, and commits nothing.
    func tail(topics: [String], from start: TailStart) async throws -> any MessageConsumer

    /// The offset that the next record of each partition will get.
    func endOffsets(topic: String) async throws -> [TopicPartition: Offset]

    /// What a group has committed: the offset of the next record it needs. Absent where it committed nothing.
    func committedOffsets(topic: String, group: String) async throws -> [TopicPartition: Offset]

    /// Number of partitions of a topic.
    func partitionCount(topic: String) async throws -> Int

    /// Ends all consumers and frees what it holds; produce calls under way finish or throw.
    func close() async
}

/// One reader. Its methods are called by one task at a time.
package protocol MessageConsumer: Sendable {
    /// Waits up to `timeout` milliseconds for records; returns what there is, up to about `maxBytes`, maybe nothing.
    func poll(maxBytes: Int, timeout: Milliseconds) async throws -> ConsumedBatch

    /// Makes the offsets (next needed record) durable for the group. An offset lower than the committed one is taken too. Offsets of partitions that
    /// have gone to another member are left out, without an error: their new owner decides.
    func commit(_ offsets: [TopicPartition: Offset]) async throws

    /// The next poll reads this partition from `offset` (or the earliest that retention has left).
    func seek(_ partition: TopicPartition, to offset: Offset) async throws

    func close() async
}

extension RecordKey {
    /// Which of `count` partitions a record with this key goes to: whole shards, by `shard mod count`.
    /// A text key goes by the shard of its hash, so that the number of partitions divides texts as it divides series.
    package func partition(of count: Int) -> Int32 {
        switch self {
        case .shard(let shard): return Int32(Int(shard.index) % count)
        case .text(let text): return Int32(Int(Fingerprint(hashing: Array(text.utf8)).shard.index) % count)
        }
    }
}

/// An error of the log with what to do about it.
package struct MessagingError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The disk is full or refuses writes; nothing of this call was acknowledged.
        case storageFull
        case io
        /// A record larger than the limit.
        case tooLarge
        case corrupt
        case closed
        case unavailable
        case usage
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
