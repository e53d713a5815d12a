import Messaging
import Records
import Storage

/// What one poll gave, decoded: one batch for the store, and the records that are none.
struct Intake: Sendable {
    private(set) var batch = StoreBatch()
    private(set) var deadLetters: [ProducerRecord] = []
    /// The next needed offset of each partition once all of it is stored.
    private(set) var offsets: [TopicPartition: Offset] = [:]

    /// Records are read as the topic they are on says; the offsets cover all of them.
    init(_ records: [ConsumerRecord], _ options: StoreRoleOptions) {
        for record in records {
            add(record, options)
            let partition = TopicPartition(record.topic, record.partition)
            offsets[partition] = max(offsets[partition] ?? 0, record.offset + 1)
        }
    }

    private mutating func add(_ record: ConsumerRecord, _ options: StoreRoleOptions) {
        do throws(RecordError) {
            if record.topic == options.chunksTopic {
                if ModelStatesRecord.isOne(record.value) {
                    batch.modelStates += try ModelStatesRecord.decode(record.value)
                } else {
                    batch.chunks += try ChunksRecord.decode(record.value)
                }
            } else {
                switch try ResultRecord.decode(record.value) {
                case .windows(let results): batch.windows += results
                case .profiles(let results): batch.profiles += results
                case .forecasts(let results): batch.forecasts += results
                case .anomalies(let results): batch.anomalies += results
                }
            }
        } catch {
            deadLetters.append(Intake.deadLetter(record, reason: error.description))
        }
    }

    /// The record as it came, with the reason.
    static func deadLetter(_ record: ConsumerRecord, reason: String) -> ProducerRecord {
        ProducerRecord(
            topic: StoreRoleOptions.deadLetterTopic(record.topic), key: record.key, value: record.value,
            headers: record.headers + [RecordHeader("reason", Array(reason.utf8))])
    }
}
