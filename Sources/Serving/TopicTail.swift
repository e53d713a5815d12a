import HTTPKit
import Logging
import Messaging
import Telemetry
import TimeSeries

/// Follows topics from a time on, outside any group, and goes on through every failure of the log.
struct TopicTail: Sendable {
    /// The name under which it reports on `/-/ready`.
    let part: String
    let topics: [String]
    let log: any MessageLog
    let clock: any WallClock
    let readiness: Readiness
    let logger: Logger
    /// Takes records; called by one task at a time.
    let receive: @Sendable ([ConsumerRecord]) -> Void
    /// Told whether the topics are followed right now.
    let following: @Sendable (Bool) -> Void

    private static let firstBackoff = Duration.milliseconds(200)
    private static let freshness: Milliseconds = 5000
    private static let maxBackoff = Duration.seconds(10)

    /// Returns when cancelled.
    func run(from start: Milliseconds) async {
        var position = start
        var backoff = TopicTail.firstBackoff
        readiness.set(part, waitingFor: "topic \(topics.joined(separator: ", "))")
        while !Task.isCancelled {
            do {
                try await follow(&position) { backoff = TopicTail.firstBackoff }
            } catch is CancellationError {
                break
            } catch {
                following(false)
                readiness.set(part, waitingFor: "topic \(topics.joined(separator: ", ")): \(error)")
                logger.warning("cannot follow topics", metadata: ["topics": "\(topics)", "error": "\(error)"])
                try? await Task.sleep(for: backoff)
                backoff = min(backoff * 2, TopicTail.maxBackoff)
            }
        }
        following(false)
    }

    private func follow(_ position: inout Milliseconds, _ succeeded: () -> Void) async throws {
        let consumer = try await log.tail(topics: topics, from: .time(position))
        do {
            while !Task.isCancelled {
                let batch = try await consumer.poll(maxBytes: 4 << 20, timeout: 500)
                succeeded()
                receive(batch.records)
                if let last = batch.records.map(\.appendTime).max() { position = max(position, last) }
                // Under constant load no poll is empty: fresh records say the same.
                if batch.records.isEmpty || clock.now() - position < TopicTail.freshness {
                    following(true)
                    readiness.set(part, waitingFor: nil)
                }
            }
        } catch {
            await consumer.close()
            throw error
        }
        await consumer.close()
    }
}
