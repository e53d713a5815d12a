import Messaging
import Synchronization
import Testing
import TimeSeries

package func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

package func record(_ topic: String, shard: Int = 0, _ value: String) -> ProducerRecord {
    ProducerRecord(topic: topic, key: .shard(Shard(UInt16(shard))), value: Array(value.utf8))
}

/// Everything that is in the log now, up to its end offsets, by a tail from the earliest.
package func readToEnd(
    _ log: any MessageLog, _ topic: String, maxBytes: Int = 1 << 20, seconds: Int = 30
) async throws -> [ConsumerRecord] {
    var left = try await log.endOffsets(topic: topic).filter { $0.value > 0 }
    let tail = try await log.tail(topics: [topic], from: .earliest)
    var records: [ConsumerRecord] = []
    let deadline = ContinuousClock.now + .seconds(seconds)
    while !left.isEmpty {
        guard ContinuousClock.now < deadline else {
            Issue.record("waited \(seconds) s for the ends of \(left); got \(records.count) records")
            break
        }
        for record in try await tail.poll(maxBytes: maxBytes, timeout: 200).records {
            records.append(record)
            let place = TopicPartition(record.topic, record.partition)
            if let end = left[place], record.offset + 1 >= end { left[place] = nil }
        }
    }
    await tail.close()
    return records
}

/// Everything that is in the log now, by a tail from the earliest: for logs whose poll never says "nothing" before the end.
package func everything(_ log: any MessageLog, _ topic: String, maxBytes: Int = 1 << 20) async throws -> [ConsumerRecord] {
    let tail = try await log.tail(topics: [topic], from: .earliest)
    var records: [ConsumerRecord] = []
    while true {
        let batch = try await tail.poll(maxBytes: maxBytes, timeout: 0)
        if batch.records.isEmpty { break }
        records += batch.records
    }
    await tail.close()
    return records
}

/// Polls until `enough`; fails after `seconds`.
@discardableResult
package func poll(
    _ consumer: any MessageConsumer, seconds: Int = 60, until enough: ([ConsumedBatch]) -> Bool
) async throws -> [ConsumedBatch] {
    var batches: [ConsumedBatch] = []
    let deadline = ContinuousClock.now + .seconds(seconds)
    while !enough(batches) {
        guard ContinuousClock.now < deadline else {
            Issue.record(
                "waited \(seconds) s; got \(batches.flatMap { $0.records }.count) records, assigned \(batches.flatMap { $0.assigned })")
            return batches
        }
        batches.append(try await consumer.poll(maxBytes: 1 << 20, timeout: 200))
    }
    return batches
}

package func records(_ batches: [ConsumedBatch]) -> [ConsumerRecord] { batches.flatMap { $0.records } }

/// A value that several tasks of a test change.
package final class Shared<Value: Sendable>: Sendable {
    private let value: Mutex<Value>
    package init(_ start: Value) { value = Mutex(start) }
    package func withLock<T: Sendable>(_ body: (inout Value) -> T) -> T { value.withLock { body(&$0) } }
}
