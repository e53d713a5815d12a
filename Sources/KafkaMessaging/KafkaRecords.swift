import CRdKafka
import Glibc
import Messaging
import TimeSeries

/// Keys on Kafka: a shard is two bytes, big-endian; a text is its UTF-8.
///
/// No text that people write has two bytes of which the first is 0 to 3, so any other producer's keys come out as texts. A record
/// without a key has the empty text.
enum KafkaKey {
    static func encode(_ key: RecordKey) throws -> [UInt8] {
        switch key {
        case .shard(let shard): return [UInt8(shard.index >> 8), UInt8(truncatingIfNeeded: shard.index)]
        case .text(let text):
            let bytes = Array(text.utf8)
            if bytes.count == 2, bytes[0] < 4 {
                throw MessagingError(
                    .usage, "the key \(text.debugDescription) would be read as a shard; two bytes must not begin with 0 to 3")
            }
            return bytes
        }
    }

    static func decode(_ bytes: UnsafeRawBufferPointer) -> RecordKey {
        if bytes.count == 2, bytes[0] < 4 { return .shard(Shard(UInt16(bytes[0]) << 8 | UInt16(bytes[1]))) }
        return .text(String(decoding: bytes, as: UTF8.self))
    }
}

/// Messages of the library as records.
struct KafkaRecordReader {
    /// Topics by their handle: a name is made once, not per record. Its bytes are compared each time, since a handle that was freed may come back
    /// as that of another topic.
    private var names: [OpaquePointer: (bytes: [CChar], name: String)] = [:]

    mutating func topic(_ handle: OpaquePointer?) -> String {
        guard let handle, let bytes = rd_kafka_topic_name(handle) else { return "" }
        if let known = names[handle], strcmp(bytes, known.bytes) == 0 { return known.name }
        let name = String(cString: bytes)
        // Handles come and go with assignments.
        if names.count >= 1000 { names = [:] }
        names[handle] = (Array(UnsafeBufferPointer(start: bytes, count: strlen(bytes) + 1)), name)
        return name
    }

    /// Copies what the record needs; the message can go afterwards.
    mutating func record(_ message: UnsafePointer<rd_kafka_message_t>) -> ConsumerRecord {
        let m = message.pointee
        let time = rd_kafka_message_timestamp(message, nil)
        return ConsumerRecord(
            topic: topic(m.rkt), partition: m.partition, offset: m.offset, appendTime: max(0, time),
            key: KafkaKey.decode(UnsafeRawBufferPointer(start: m.key, count: m.key == nil ? 0 : m.key_len)),
            value: m.payload == nil ? [] : [UInt8](UnsafeRawBufferPointer(start: m.payload, count: m.len)),
            headers: KafkaRecordReader.headers(message))
    }

    private static func headers(_ message: UnsafePointer<rd_kafka_message_t>) -> [RecordHeader] {
        var list: OpaquePointer?
        guard rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return [] }
        let count = rd_kafka_header_cnt(list)
        var headers: [RecordHeader] = []
        headers.reserveCapacity(count)
        for i in 0..<count {
            var name: UnsafePointer<CChar>?
            var value: UnsafeRawPointer?
            var size = 0
            guard rd_kafka_header_get_all(list, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR, let name else { break }
            headers.append(
                RecordHeader(String(cString: name), value == nil ? [] : [UInt8](UnsafeRawBufferPointer(start: value, count: size))))
        }
        return headers
    }
}

/// Lists of partitions with offsets.
enum PartitionList {
    typealias List = UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    /// Calls with a list that lives as long as the call.
    static func with<T>(_ entries: [TopicPartition: Offset], _ body: (List) throws -> T) throws -> T {
        guard let list = rd_kafka_topic_partition_list_new(Int32(clamping: entries.count)) else {
            throw MessagingError(.unavailable, "no memory for a list of partitions")
        }
        defer { rd_kafka_topic_partition_list_destroy(list) }
        for (place, offset) in entries {
            rd_kafka_topic_partition_list_add(list, place.topic, place.partition).pointee.offset = offset
        }
        return try body(list)
    }

    struct Entry {
        var place: TopicPartition
        var offset: Offset
        var error: KafkaError
    }

    static func entries(_ list: UnsafePointer<rd_kafka_topic_partition_list_t>?) -> [Entry] {
        guard let list else { return [] }
        return (0..<max(0, Int(list.pointee.cnt))).map { i in
            let element = list.pointee.elems[i]
            return Entry(
                place: TopicPartition(String(cString: element.topic), element.partition), offset: element.offset,
                error: KafkaError(element.err))
        }
    }
}
