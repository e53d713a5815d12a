import Flows
import Logging
import Messaging
import Synchronization
import Telemetry
import TimeSeries

/// Reads the records of a topic as a member of the flow's group. What it has read it commits when its samples are durable; records that are
/// none go to `<topic>.dlq` with the reason.
final class FlowTopicWorker: FlowWorker {
    private let topic: String
    private let context: FlowContext
    private let state: Mutex<FlowStatus>

    init(_ context: FlowContext, topic: String) {
        self.context = context
        self.topic = topic
        state = Mutex(FlowStatus(name: context.definition.name, problem: "starting"))
    }

    var status: FlowStatus { state.withLock { $0 } }
    var group: String { "collect-flow-\(context.definition.name)" }

    func run() async {
        var backoff = Backoff(first: 200, limit: 10_000)
        while !Task.isCancelled {
            do {
                try await context.joins.waitUntilReady()
                try await consume { backoff.reset() }
            } catch is CancellationError {
                break
            } catch {
                if Task.isCancelled { break }
                say("topic \(topic): \(error)")
                do { try await context.environment.sleep(backoff.next()) } catch { break }
            }
        }
    }

    private func say(_ problem: String?) {
        let before = state.withLock { state in
            defer { state.problem = problem }
            return state.problem
        }
        if let problem, problem != before { context.environment.logger.warning("flow \(context.definition.name): \(problem)") }
    }

    private func consume(_ succeeded: () -> Void) async throws {
        let consumer = try await context.log.consumer(topics: [topic], group: group)
        do {
            // What is not committed is read again by whoever goes on.
            var line = try context.line()
            while !Task.isCancelled {
                let batch = try await consumer.poll(maxBytes: 1 << 20, timeout: 1_000)
                succeeded()
                say(nil)
                try await take(batch, &line, consumer)
            }
        } catch {
            await consumer.close()
            throw error
        }
        await consumer.close()
    }

    private func take(_ batch: ConsumedBatch, _ line: inout FlowLine, _ consumer: any MessageConsumer) async throws {
        let now = context.environment.clock.now()
        for partition in batch.revoked { line.end(partition.partition) }
        for partition in batch.assigned { line.begin(partition.partition, now: now) }
        if batch.records.isEmpty { return }
        var deadLetters: [ProducerRecord] = []
        var offsets: [TopicPartition: Offset] = [:]
        for record in batch.records {
            let tally = line.take(record.value, part: record.partition, arrival: record.appendTime, now: now)
            if let first = tally.refusals.first {
                let more = tally.rejected > 1 ? " (and \(tally.rejected - 1) more)" : ""
                let place = tally.records > 1 ? "record \(first.record): " : ""
                deadLetters.append(deadLetter(record, reason: place + first.reason + more))
            }
            let partition = TopicPartition(record.topic, record.partition)
            offsets[partition] = max(offsets[partition] ?? 0, record.offset + 1)
        }
        try await context.send(line.records(now: now))
        if !deadLetters.isEmpty {
            context.metrics.deadLetters.add(deadLetters.count)
            var letters = ScrapeRecords()
            for letter in deadLetters { letters.append(letter, samples: 0) }
            try await context.send(letters)
        }
        try await consumer.commit(offsets)
    }

    private func deadLetter(_ record: ConsumerRecord, reason: String) -> ProducerRecord {
        ProducerRecord(
            topic: record.topic + ".dlq", key: record.key, value: record.value,
            headers: record.headers + [RecordHeader("reason", Array(reason.utf8))])
    }
}
