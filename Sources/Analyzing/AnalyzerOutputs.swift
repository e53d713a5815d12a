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
            if bytes >= BoundedProduce.sliceBytes {
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

    private func produce(_ records: [ProducerRecord]) async throws {
        try await BoundedProduce(log: log, waiting: waiting, logger: logger, tooLarge: metrics.tooLarge)(records)
    }
}
