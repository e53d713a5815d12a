import CRdKafka
import Messaging
import Testing
import TimeSeries

@testable import KafkaMessaging

@Suite("Kafka topics") struct TopicPlanTests {
    private let samples = KafkaTopic("samples", partitions: 16, replication: 3)

    @Test func whatIsMissingIsMade() {
        let plan = TopicPlan(wanted: [samples], existing: [:])
        #expect(plan.actions == [.create(samples)])
        #expect(plan.report.first?.contains("created with 16 partitions") == true)
    }

    @Test func whatIsThereStays() {
        let existing = ExistingTopic(
            partitions: 16, replication: 3,
            configuration: ["cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime", "retention.ms": "1"])
        #expect(TopicPlan(wanted: [samples], existing: ["samples": existing]).actions == [.keep("samples")])
        let untold = ExistingTopic(partitions: 16, replication: 3, configuration: [:])
        #expect(TopicPlan(wanted: [samples], existing: ["samples": untold]).actions == [.keep("samples")])
    }

    @Test(arguments: [8, 15, 17, 32])
    func theNumberOfPartitionsNeverChanges(_ partitions: Int) throws {
        let existing = ExistingTopic(partitions: partitions, replication: 3, configuration: [:])
        let plan = TopicPlan(wanted: [KafkaTopic("new", partitions: 1), samples], existing: ["samples": existing])
        let reason = try #require(plan.refusals.first)
        #expect(reason.contains("\(partitions) partitions") && reason.contains("migrate"))
        #expect(plan.refusals.count == 1)
    }

    @Test func otherDifferencesAreToldAndLeft() {
        var wanted = samples
        wanted.retention = 86_400_000
        wanted.minInSyncReplicas = 2
        let existing = ExistingTopic(
            partitions: 16, replication: 1,
            configuration: ["cleanup.policy": "compact", "retention.ms": "604800000", "min.insync.replicas": "2"])
        guard case .differs("samples", let lines)? = TopicPlan(wanted: [wanted], existing: ["samples": existing]).actions.first else {
            Issue.record("no differences")
            return
        }
        #expect(lines.count == 3)
        for part in ["replication 1", "cleanup.policy=compact", "retention.ms=604800000"] {
            #expect(lines.contains { $0.contains(part) }, "\(part)")
        }
    }

    @Test func whatCannotBeIsRefused() {
        var fewReplicas = KafkaTopic("a", partitions: 1, replication: 1)
        fewReplicas.minInSyncReplicas = 2
        let wrong = [
            KafkaTopic("", partitions: 1), KafkaTopic("a b", partitions: 1), KafkaTopic("..", partitions: 1),
            KafkaTopic(String(repeating: "x", count: 250), partitions: 1), KafkaTopic("a", partitions: 0),
            KafkaTopic("a", partitions: 1025), KafkaTopic("a", partitions: 1, replication: 0), fewReplicas,
        ]
        for topic in wrong { #expect(TopicPlan(wanted: [topic], existing: [:]).refusals.count == 1, "\(topic)") }
        #expect(TopicPlan(wanted: [samples, samples], existing: [:]).refusals.count == 1)
    }

    @Test func settingsAreKafkas() {
        var control = KafkaTopic("control", partitions: 1)
        control.cleanup = .compact
        control.retentionBytes = -1
        control.maxMessageBytes = 2_000_000
        control.settings = ["segment.ms": "3600000", "message.timestamp.type": "CreateTime"]
        #expect(
            control.configuration == [
                "cleanup.policy": "compact", "retention.bytes": "-1", "max.message.bytes": "2000000", "segment.ms": "3600000",
                "message.timestamp.type": "CreateTime",
            ])
    }

    @Test func brokersErrorsSayWhatToDo() throws {
        func code(_ error: rd_kafka_resp_err_t) -> MessagingError.Code? {
            KafkaAdmin.refusal("t", KafkaError(error), nil)?.code
        }
        #expect(code(RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) == nil)
        #expect(code(RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR) == .usage)
        #expect(code(RD_KAFKA_RESP_ERR_POLICY_VIOLATION) == .usage)
        #expect(code(RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED) == .usage)
        #expect(code(RD_KAFKA_RESP_ERR_NOT_CONTROLLER) == .unavailable)
        #expect(code(RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT) == .unavailable)
    }
}

@Suite("Kafka admin") struct KafkaAdminTests {
    @Test func onTheMockTopicsAreFoundAndNoneCanBeMade() async throws {
        let cluster = try MockCluster(brokers: 3)
        cluster.create("there", partitions: 4)
        // It has no controller, which settings and creation are asked of.
        var options = testOptions(cluster.brokers)
        options.requestTimeout = 1000
        let admin = try KafkaAdmin(options, logger: quiet())
        let there = KafkaTopic("there", partitions: 4)
        #expect(try await admin.create([there]).actions == [.keep("there")])
        #expect(try await admin.describe(["there", "missing"])["there"]?.partitions == 4)
        #expect(try await admin.describe(["missing"]).isEmpty)
        await #expect {
            _ = try await admin.create([KafkaTopic("missing", partitions: 1), KafkaTopic("there", partitions: 5)])
        } throws: { ($0 as? MessagingError)?.code == .usage }
        await #expect {
            _ = try await admin.create([there, KafkaTopic("missing", partitions: 1)])
        } throws: { ($0 as? MessagingError)?.code == .unavailable }
        await admin.close()
    }

    @Test func withoutABrokerItIsUnavailable() async throws {
        var options = testOptions(["127.0.0.1:1"])
        options.requestTimeout = 300
        let admin = try KafkaAdmin(options, logger: quiet())
        await #expect {
            _ = try await admin.create([KafkaTopic("t", partitions: 1)])
        } throws: { ($0 as? MessagingError)?.code == .unavailable }
        await admin.close()
    }

    @Test(.enabled(if: realBroker != nil, "ALMANAC_TEST_KAFKA names no broker"))
    func onABrokerTopicsAreMadeOnceAndDescribed() async throws {
        let admin = try KafkaAdmin(testOptions([realBroker ?? ""]), logger: quiet())
        var topic = KafkaTopic(unique("admin"), partitions: 3, replication: 1)
        topic.cleanup = .compact
        topic.retention = 3_600_000
        #expect(try await admin.create([topic]).actions == [.create(topic)])
        #expect(try await admin.create([topic]).actions == [.keep(topic.name)])
        let found = try #require(try await admin.describe([topic.name])[topic.name])
        #expect(found.partitions == 3 && found.replication == 1)
        #expect(found.configuration["cleanup.policy"] == "compact")
        #expect(found.configuration["message.timestamp.type"] == "LogAppendTime")
        var more = topic
        more.partitions = 4
        let wrong = more
        await #expect { _ = try await admin.create([wrong]) } throws: { ($0 as? MessagingError)?.code == .usage }
        #expect(try await admin.describe([topic.name])[topic.name]?.partitions == 3)
        var long = topic
        long.retention = 7_200_000
        guard case .differs? = try await admin.create([long]).actions.first else {
            Issue.record("the difference is not told")
            return
        }
        await admin.close()
    }
}
