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
            switch record.topic {
            case options.chunksTopic: try addChunks(record.value)
            case options.trafficTopic: try addTraffic(record.value)
            default: try addResults(record.value)
            }
        } catch {
            deadLetters.append(Intake.deadLetter(record, reason: error.description))
        }
    }

    private mutating func addResults(_ value: [UInt8]) throws(RecordError) {
        switch try ResultRecord.decode(value) {
        case .windows(let results): batch.windows += results
        case .profiles(let results): batch.profiles += results
        case .forecasts(let results): batch.forecasts += results
        case .anomalies(let results): batch.anomalies += results
        }
    }

    private mutating func addChunks(_ value: [UInt8]) throws(RecordError) {
        if ModelStatesRecord.isOne(value) {
            batch.modelStates += try ModelStatesRecord.decode(value)
        } else if CheckpointRecord.isOne(value) {
            batch.checkpoints.append(try CheckpointRecord.decode(value))
        } else {
            batch.chunks += try ChunksRecord.decode(value)
        }
    }

    private mutating func addTraffic(_ value: [UInt8]) throws(RecordError) {
        switch try TrafficRecord.decode(value) {
        case .totals(let results): batch.trafficTotals += results
        case .windows(let results): batch.trafficWindows += results
        case .visits(let results): batch.visits += results
        case .alerts(let results): batch.alerts += results
        }
    }

    /// The record as it came, with the reason.
    static func deadLetter(_ record: ConsumerRecord, reason: String) -> ProducerRecord {
        ProducerRecord(
            topic: StoreRoleOptions.deadLetterTopic(record.topic), key: record.key, value: record.value,
            headers: record.headers + [RecordHeader("reason", Array(reason.utf8))])
    }
}
