import TimeSeries

/// Settings of the embedded log.
package struct EmbeddedLogOptions: Sendable {
    /// Limits beyond which the oldest segments of a topic are removed, whole segments at a time; nil is no limit.
    package struct Retention: Sendable {
        /// Bytes of all partitions of the topic.
        package var bytes: Int64?
        /// Age of the newest record of a segment, milliseconds.
        package var age: Milliseconds?

        package init(bytes: Int64? = nil, age: Milliseconds? = nil) {
            self.bytes = bytes
            self.age = age
        }
    }

    package var directory: String
    /// Number of partitions by topic, and for all others. Fixed when a topic is made.
    package var partitions: [String: Int] = [:]
    package var defaultPartitions = 1
    /// A segment is closed before it would grow beyond this (a single call's frames up to 4 MB stay together).
    package var segmentBytes: Int64 = 64 << 20
    package var retention = Retention()
    package var topicRetention: [String: Retention] = [:]
    /// By topic, the groups whose committed offsets retention never passes. One that has committed nothing pins everything.
    package var requiredGroups: [String: [String]] = [:]
    /// The largest record: key, headers and value.
    package var maxRecordBytes = 16 << 20
    /// Bytes that producers may have handed over and that are not durable yet; more have to wait.
    package var queueBytes = 64 << 20
    /// How often retention looks for segments to remove; also whenever a segment is closed.
    package var retentionInterval: Milliseconds = 30_000
    /// How long a member of a group that does not poll can hold partitions that are to go to another.
    package var handoverTimeout: Milliseconds = 60_000
    /// Threads that read segment files.
    package var readerThreads = 2

    package init(directory: String) { self.directory = directory }

    func partitionCount(_ topic: String) -> Int { partitions[topic] ?? defaultPartitions }
    func retention(_ topic: String) -> Retention { topicRetention[topic] ?? retention }

    /// Throws `.usage` with the setting's name.
    func check() throws {
        if directory.isEmpty { throw MessagingError(.usage, "the log needs a directory") }
        for (topic, count) in partitions.merging(["every other topic": defaultPartitions], uniquingKeysWith: { a, _ in a }) {
            guard (1...Shard.count).contains(count) else {
                throw MessagingError(.usage, "\(count) partitions for \(topic): a number from 1 to \(Shard.count) is needed")
            }
        }
        if segmentBytes < 4096 { throw MessagingError(.usage, "segments of \(segmentBytes) bytes: at least 4096 are needed") }
        guard (1...(1 << 30)).contains(maxRecordBytes) else {
            throw MessagingError(.usage, "records of at most \(maxRecordBytes) bytes: a number from 1 to 1 GiB is needed")
        }
        if queueBytes < 1 || readerThreads < 1 || retentionInterval < 1 || handoverTimeout < 0 {
            throw MessagingError(.usage, "the log's queue, reader threads, retention interval and handover timeout must be positive")
        }
    }
}
