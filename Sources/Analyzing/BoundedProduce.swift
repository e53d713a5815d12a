import Logging
import Messaging
import Telemetry

/// Records onto their topics in slices of bounded size, waiting while the log is away.
struct BoundedProduce: Sendable {
    let log: any MessageLog
    let waiting: Waiting
    let logger: Logger
    let tooLarge: Counter

    /// Bytes of records given to the log in one call.
    static let sliceBytes = 4 << 20

    /// A record that the log refuses as too large goes alone, is left out and counted: the others must not suffer.
    func callAsFunction(_ records: [ProducerRecord]) async throws {
        var at = 0
        while at < records.count {
            var bytes = 0
            let from = at
            while at < records.count, at == from || bytes + records[at].value.count <= BoundedProduce.sliceBytes {
                bytes += records[at].value.count
                at += 1
            }
            let slice = Array(records[from..<at])
            do {
                try await waiting.retrying("the topic \(slice[0].topic)") { try await log.produce(slice) }
            } catch let error as MessagingError where error.code == .tooLarge {
                if slice.count > 1 {
                    for record in slice { try await self([record]) }
                } else {
                    tooLarge.add()
                    logger.error("a record of \(slice[0].topic) is too large and left out", metadata: ["reason": "\(error)"])
                }
            }
        }
    }
}
