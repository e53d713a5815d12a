import CRdKafka
import Messaging

/// Makes librdkafka's configuration objects.
enum KafkaConfiguration {
    /// The caller frees it, or gives it to `rd_kafka_new`. Throws `.usage` with the property's name.
    static func make(_ settings: [(String, String)]) throws -> OpaquePointer {
        guard let configuration = rd_kafka_conf_new() else { throw MessagingError(.unavailable, "no memory for a Kafka configuration") }
        do {
            for (name, value) in settings { try set(configuration, name, value) }
        } catch {
            rd_kafka_conf_destroy(configuration)
            throw error
        }
        return configuration
    }

    static func free(_ configuration: OpaquePointer) { rd_kafka_conf_destroy(configuration) }

    private static func set(_ configuration: OpaquePointer, _ name: String, _ value: String) throws {
        let (result, text) = withErrorText { rd_kafka_conf_set(configuration, name, value, $0, $1) }
        switch result {
        case RD_KAFKA_CONF_OK: return
        case RD_KAFKA_CONF_UNKNOWN:
            throw MessagingError(.usage, "the Kafka client knows no property \(name); librdkafka's CONFIGURATION.md lists them")
        default:
            // The library's text repeats the value.
            let reason = KafkaOptions.isSecret(name) ? "its value is not accepted" : text
            throw MessagingError(.usage, "the Kafka property \(name): \(reason)")
        }
    }

    /// Calls with a buffer for an error's text.
    static func withErrorText<T>(_ body: (UnsafeMutablePointer<CChar>, Int) -> T) -> (T, String) {
        let size = 512
        let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: size)
        defer { buffer.deallocate() }
        buffer.initialize(repeating: 0, count: size)
        let result = body(buffer, size)
        return (result, String(cString: buffer))
    }
}
