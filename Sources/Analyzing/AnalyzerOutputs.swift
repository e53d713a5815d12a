import Logging
import Messaging
import Records
import Telemetry
import TimeSeries

/// The way out: results, chunks and dead letters onto their topics, in slices of bounded size.
struct AnalyzerOutputs: Sendable {
    let options: AnalyzeOptions
    let log: any MessageLog
    let metrics: AnalyzeMetrics
    let logger: Logger
    let waiting: Waiting
    let evaluationLog: @Sendable (EvaluationLogLine) -> Void

    /// Bytes of records given to the log in one call.
    private static let sliceBytes = 4 << 20

    func bury(_ record: ConsumerRecord, reason: String) async throws {
        metrics.deadLetters.add()
        logger.warning("a record of \(record.topic) cannot be read", metadata: ["offset": "\(record.offset)", "reason": "\(reason)"])
        let letter = ProducerRecord(
            topic: record.topic + ".dlq", key: record.key, value: record.value, headers: [RecordHeader("reason", Array(reason.utf8))])
        try await produce([letter])
    }

    func emit(_ output: AnalyzerOutput) async throws {
        if output.isEmpty { return }
        var records: [ProducerRecord] = []
        var bytes = 0
        // Chunks first: a result may only be younger than the state that a successor finds.
        for (shard, chunks) in output.chunks {
            for value in ChunksRecord.encode(chunks) {
                records.append(ProducerRecord(topic: options.chunksTopic, key: .shard(shard), value: value))
            }
            metrics.chunks.add(chunks.count)
        }
        for (shard, states) in output.modelStates {
            for value in ModelStatesRecord.encode(states) {
                records.append(ProducerRecord(topic: options.chunksTopic, key: .shard(shard), value: value))
            }
        }
        for (shard, record) in output.results {
            for value in record.encode(shard: shard) {
                bytes += value.count
                records.append(ProducerRecord(topic: options.resultsTopic, key: .shard(shard), value: value))
            }
            // Encoded no further ahead than what goes out in one call.
            if bytes >= AnalyzerOutputs.sliceBytes {
                metrics.results.add(records.count)
                try await produce(records)
                records.removeAll(keepingCapacity: true)
                bytes = 0
                try Task.checkCancellation()
            }
        }
        metrics.results.add(records.count)
        try await produce(records)
        for line in output.lines {
            metrics.observe(line)
            evaluationLog(line)
        }
    }

    /// In slices of bounded size. A record that the log refuses as too large goes alone, is left out and counted: the others must not suffer.
    private func produce(_ records: [ProducerRecord]) async throws {
        var at = 0
        while at < records.count {
            var bytes = 0
            let from = at
            while at < records.count, at == from || bytes + records[at].value.count <= AnalyzerOutputs.sliceBytes {
                bytes += records[at].value.count
                at += 1
            }
            let slice = Array(records[from..<at])
            do {
                try await waiting.retrying("the topic \(slice[0].topic)") { try await log.produce(slice) }
            } catch let error as MessagingError where error.code == .tooLarge {
                if slice.count > 1 {
                    for record in slice { try await produce([record]) }
                } else {
                    metrics.tooLarge.add()
                    logger.error("a record of \(slice[0].topic) is too large and left out", metadata: ["reason": "\(error)"])
                }
            }
        }
    }
}
