import CRdKafka
import Messaging

/// An error code of librdkafka or of a broker.
struct KafkaError: Error, Sendable, Equatable {
    var code: rd_kafka_resp_err_t

    init(_ code: rd_kafka_resp_err_t) { self.code = code }

    static func == (a: KafkaError, b: KafkaError) -> Bool { a.code == b.code }

    /// For example `MSG_SIZE_TOO_LARGE`.
    var name: String { String(cString: rd_kafka_err2name(code)) }
    var text: String { String(cString: rd_kafka_err2str(code)) }
    var isNone: Bool { code == RD_KAFKA_RESP_ERR_NO_ERROR }

    /// Takes an error object of the library and frees it; nil for none.
    static func take(_ error: OpaquePointer?) -> (error: KafkaError, text: String)? {
        guard let error else { return nil }
        defer { rd_kafka_error_destroy(error) }
        return (KafkaError(rd_kafka_error_code(error)), String(cString: rd_kafka_error_string(error)))
    }

    /// The member is no longer part of its group's generation: what it commits does not count.
    var isFenced: Bool {
        switch code {
        case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
            RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST, RD_KAFKA_RESP_ERR_MEMBER_ID_REQUIRED:
            true
        default: false
        }
    }

    /// Another attempt soon may go through.
    var isTransient: Bool {
        switch code {
        case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR__WAIT_COORD, RD_KAFKA_RESP_ERR__TRANSPORT,
            RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,
            RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
            RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE, RD_KAFKA_RESP_ERR__WAIT_CACHE,
            RD_KAFKA_RESP_ERR__IN_PROGRESS, RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS, RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
            true
        default: false
        }
    }

    /// No broker was reached, or it does not let us in.
    var isConnection: Bool {
        switch code {
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__RESOLVE,
            RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR__SSL, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
            RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__NODE_UPDATE:
            true
        default: false
        }
    }

    var isAuthentication: Bool {
        switch code {
        case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, RD_KAFKA_RESP_ERR__SSL: true
        default: false
        }
    }

    var isUnknownTopic: Bool {
        switch code {
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: true
        default: false
        }
    }

    /// What a caller gets. `doing` says what failed, `problem` what the client last heard from the brokers.
    func messagingError(_ doing: String, problem: String? = nil) -> MessagingError {
        let heard = problem.map { "; last heard: \($0)" } ?? ""
        switch code {
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
            return MessagingError(.tooLarge, "\(doing): larger than the broker takes (max.message.bytes of the topic)")
        case RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
            RD_KAFKA_RESP_ERR_INVALID_GROUP_ID, RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS, RD_KAFKA_RESP_ERR__INVALID_ARG:
            return MessagingError(.usage, "\(doing): \(text)")
        case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
            return MessagingError(.unavailable, "\(doing): not acknowledged in time\(heard)")
        case RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, RD_KAFKA_RESP_ERR__DESTROY:
            return MessagingError(.closed, "\(doing): the log was closed before Kafka acknowledged")
        case _ where isUnknownTopic:
            return KafkaError.missingTopic(doing)
        case _ where isAuthentication:
            return MessagingError(
                .unavailable, "\(doing): Kafka refuses the authentication (\(text)); see security.protocol, sasl.* and ssl.*\(heard)")
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
            RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
            return MessagingError(.unavailable, "\(doing): Kafka does not permit it (\(text)); the client's user needs an ACL")
        default:
            return MessagingError(.unavailable, "\(doing): \(text)\(heard)")
        }
    }

    static func missingTopic(_ doing: String) -> MessagingError {
        MessagingError(.unavailable, "\(doing): the topic does not exist; `almanac init` makes it")
    }
}
