import CRdKafka
import Messaging
import MessagingContract
import Telemetry
import Testing
import TimeSeries

@testable import KafkaMessaging

@Suite("Kafka options") struct KafkaOptionsTests {
    private func refusal(_ change: (inout KafkaOptions) -> Void) -> String? {
        var options = KafkaOptions(brokers: ["127.0.0.1:9092"])
        change(&options)
        do {
            try options.check()
            return nil
        } catch let error as MessagingError where error.code == .usage {
            return error.message
        } catch {
            return "another error: \(error)"
        }
    }

    @Test func ordinaryOptionsAreFine() {
        #expect(refusal { _ in } == nil)
        #expect(
            refusal {
                $0.properties = [
                    "security.protocol": "SASL_SSL", "sasl.mechanisms": "SCRAM-SHA-512", "sasl.password": "x", "linger.ms": "50",
                ]
                $0.compression = .zstd
            } == nil)
    }

    @Test func eachCompressionIsBuiltIn() {
        for compression in KafkaOptions.Compression.allCases { #expect(refusal { $0.compression = compression } == nil, "\(compression)") }
    }

    @Test func mistakesAreNamed() {
        #expect(refusal { $0.properties = ["linger.sm": "5"] }?.contains("linger.sm") == true)
        #expect(refusal { $0.properties = ["linger.ms": "soon"] }?.contains("linger.ms") == true)
        #expect(refusal { $0.properties = ["acks": "1"] }?.contains("in-sync") == true)
        #expect(refusal { $0.properties = ["enable.auto.commit": "true"] }?.contains("enable.auto.commit") == true)
        #expect(refusal { $0.brokers = [] }?.contains("broker") == true)
        #expect(refusal { $0.brokers = ["a:1,b:2"] }?.contains("a:1,b:2") == true)
        #expect(refusal { $0.maxRecordBytes = 0 } != nil)
        #expect(refusal { $0.deliveryTimeout = 0 } != nil)
        #expect(refusal { $0.maxPollInterval = 1 } != nil)
    }

    @Test func secretsAreNotRepeated() {
        // A mechanism that is none, with the secret as its value by mistake, is the user's; passwords and keys never show.
        for name in ["ssl.key.password", "sasl.password", "ssl.key.pem", "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config"] {
            #expect(KafkaOptions.isSecret(name), "\(name)")
        }
        #expect(!KafkaOptions.isSecret("linger.ms"))
    }
}

@Suite("Kafka keys") struct KafkaKeyTests {
    private func roundTrip(_ key: RecordKey) throws -> RecordKey {
        try KafkaKey.encode(key).withUnsafeBytes { KafkaKey.decode($0) }
    }

    @Test func keysComeBack() throws {
        for shard in UInt16(0)..<1024 { #expect(try roundTrip(.shard(Shard(shard))) == .shard(Shard(shard))) }
        for text in ["", "a", "42", "ab", "Route-37 é", "\u{4}x", "\u{1}", "\u{1}ab", "日本"] {
            #expect(try roundTrip(.text(text)) == .text(text))
        }
    }

    @Test func theBytesAreThoseOfTheDocument() throws {
        #expect(try KafkaKey.encode(.shard(Shard(1023))) == [0x03, 0xFF])
        #expect(try KafkaKey.encode(.shard(Shard(7))) == [0x00, 0x07])
        #expect(try KafkaKey.encode(.text("bus 7")) == Array("bus 7".utf8))
    }

    @Test func aTextThatWouldBeReadAsAShardIsRefused() {
        #expect(throws: MessagingError.self) { try KafkaKey.encode(.text("\u{3}x")) }
        #expect(throws: MessagingError.self) { try KafkaKey.encode(.text("\u{0}\u{0}")) }
    }

    @Test func bytesThatAreNoTextAreStillAKey() {
        [UInt8(0xFF), 0xFE, 0xFD].withUnsafeBytes { #expect(KafkaKey.decode($0) == .text("\u{FFFD}\u{FFFD}\u{FFFD}")) }
    }
}

@Suite("Kafka positions") struct ConsumerPositionsTests {
    private let place = TopicPartition("t", 0)

    @Test func onlyTheFirstGapAndGoingBackAreNews() {
        var positions = ConsumerPositions()
        positions.begin(place, at: 5)
        #expect(positions.advance(place, to: 5) == nil)
        #expect(positions.advance(place, to: 8) == nil, "compaction leaves gaps")
        #expect(positions.advance(place, to: 2) == 9, "the log has lost its end")
        positions.begin(place, at: 3)
        #expect(positions.advance(place, to: 10) == 3, "retention has removed the beginning")
        positions.begin(place, at: Offset(RD_KAFKA_OFFSET_BEGINNING))
        #expect(positions.advance(place, to: 10) == nil)
        #expect(positions.next == [place: 11])
        positions.end(place)
        #expect(!positions.holds(place))
    }
}

@Suite("Kafka log lines and statistics") struct KafkaReportingTests {
    @Test func linesOfAKindAreLimited() {
        var limiter = LogLimiter()
        let start = ContinuousClock.now
        let first = (0..<20).map { _ in limiter.admit("FAIL", now: start) }
        #expect(first == Array(repeating: 0, count: LogLimiter.burst) + Array(repeating: nil, count: 20 - LogLimiter.burst))
        #expect(limiter.admit("OTHER", now: start) == 0)
        #expect(limiter.admit("FAIL", now: start + LogLimiter.interval) == 15)
        #expect(limiter.admit("FAIL", now: start + LogLimiter.interval) == 0)
    }

    @Test func kindsAreBounded() {
        var limiter = LogLimiter()
        let start = ContinuousClock.now
        var admitted = 0
        for i in 0..<10_000 where limiter.admit("kind \(i)", now: start) != nil { admitted += 1 }
        #expect(admitted == LogLimiter.maxKinds + LogLimiter.burst)
    }

    @Test func numbersAreFoundInStatistics() {
        let text = Array(#"{"brokers":{"a":{"txretries":3,"tx":9},"b":{"txretries":12}},"txretriesx":5,"txretries":"#.utf8)
        text.withUnsafeBufferPointer {
            #expect(KafkaStatistics.sum("txretries", in: $0) == 15)
            #expect(KafkaStatistics.sum("absent", in: $0) == 0)
        }
        #expect(KafkaStatistics.sum("x", in: UnsafeBufferPointer(start: nil, count: 0)) == 0)
    }

    @Test func gaugesOfPartitionsAreBounded() {
        let registry = MetricRegistry()
        let metrics = KafkaMetrics(registry)
        for i in 0..<2000 { metrics.lag(group: "g", TopicPartition("t", Int32(i)), 1) }
        let lines = registry.render().split(separator: "\n").count { $0.hasPrefix("almanac_kafka_consumer_lag_records{") }
        #expect(lines == KafkaMetrics.maxLagGauges)
    }
}
