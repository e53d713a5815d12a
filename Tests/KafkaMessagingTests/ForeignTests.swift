import CRdKafka
import Messaging
import MessagingContract
import Telemetry
import Testing
import TimeSeries

@testable import KafkaMessaging

/// A producer that knows nothing of Almanac.
private final class ForeignProducer {
    private let client: KafkaClient
    private let topic: OpaquePointer

    init(_ brokers: [String], topic name: String) throws {
        client = try KafkaClient(
            .producer, [("bootstrap.servers", brokers.joined(separator: ","))], events: 0,
            context: KafkaContext(metrics: KafkaMetrics(MetricRegistry()), logger: quiet()))
        topic = try #require(rd_kafka_topic_new(client.handle, name, nil))
    }

    func send(_ partition: Int32, key: [UInt8]?, value: [UInt8]?) {
        var value = value
        let code = value?.withUnsafeMutableBytes { value in
            rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, value.baseAddress, value.count, key, key?.count ?? 0, nil)
        }
        #expect((code ?? rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, nil, 0, key, key?.count ?? 0, nil)) == 0)
    }

    func end() {
        #expect(rd_kafka_flush(client.handle, 10_000) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_topic_destroy(topic)
        client.destroy()
    }
}

@Suite("Kafka records of others") struct ForeignTests {
    @Test func anyRecordOfAnyProducerIsRead() async throws {
        let stage = try await Stage(topics: ["iot-data-event": 2])
        let foreign = try ForeignProducer(stage.cluster.brokers, topic: "iot-data-event")
        let sent: [(Int32, [UInt8]?, [UInt8]?)] = [
            (0, Array("bus-7".utf8), Array("{}".utf8)),
            (1, Array("bus-7".utf8), Array("{\"cut".utf8)),
            (1, nil, [0xFF, 0x00]),
            (0, Array("42".utf8), nil),
            (0, [0xC3, 0x28, 0xFF], [1]),
            (1, Array(repeating: 65, count: 5000), Array(repeating: 0, count: 200_000)),
        ]
        for (partition, key, value) in sent { foreign.send(partition, key: key, value: value) }
        foreign.end()
        let got = try await readToEnd(stage.log, "iot-data-event")
        #expect(got.count == sent.count)
        for partition in 0..<Int32(2) {
            let mine = got.filter { $0.partition == partition }
            let theirs = sent.filter { $0.0 == partition }
            #expect(mine.map { $0.key } == theirs.map { .text(String(decoding: $0.1 ?? [], as: UTF8.self)) })
            #expect(mine.map { $0.value } == theirs.map { $0.2 ?? [] })
        }
        await stage.log.close()
    }
}
