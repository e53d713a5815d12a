import Flows
import Glibc
import Logging
import Messaging
import Synchronization
import Telemetry
import TimeSeries

/// Fills the joins: reads tables, again when they change, and follows topics from their earliest record.
package final class JoinLoader: Sendable {
    /// What flows and rules look into. Holds nothing until `run` has read it.
    package let joins: JoinSet
    private let definitions: [JoinDefinition]
    private let log: any MessageLog
    private let environment: CollectEnvironment
    private let metrics: [String: JoinMetrics]
    /// By join, what it waits for; a join without one is ready.
    private let waiting: Mutex<[String: String]>

    package init(_ definitions: [JoinDefinition], log: any MessageLog, environment: CollectEnvironment, registry: MetricRegistry) {
        self.definitions = definitions
        self.log = log
        self.environment = environment
        joins = JoinSet(definitions)
        metrics = Dictionary(
            definitions.map { ($0.name, JoinMetrics(registry, join: $0.name)) }, uniquingKeysWith: { first, _ in first })
        waiting = Mutex(
            Dictionary(definitions.map { ($0.name, "join \($0.name)") }, uniquingKeysWith: { first, _ in first }))
    }

    /// Loads until the task is cancelled.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            for definition in definitions {
                group.addTask {
                    switch definition.source {
                    case .table(let path, let separator): await self.watch(path, separator, definition)
                    case .topic(let topic): await self.follow(topic, definition)
                    }
                }
            }
        }
    }

    /// nil when all joins have been read as far as they were at the start.
    package var waitingFor: String? { waiting.withLock { $0.min { $0.key < $1.key }?.value } }

    func waitUntilReady() async throws {
        while waitingFor != nil { try await environment.sleep(100) }
    }

    private func ready(_ join: String) { waiting.withLock { $0[join] = nil } }

    /// Says what is wrong once; before the first reading it is what others wait for.
    private func say(_ problem: String, _ join: String, _ last: inout String) {
        waiting.withLock { if $0[join] != nil { $0[join] = "join \(join): \(problem)" } }
        if problem != last { environment.logger.warning("join \(join): \(problem)") }
        last = problem
    }

    // MARK: Tables

    private static let tableInterval: Milliseconds = 2_000
    private static let maximumTableBytes: Int64 = 256 << 20

    /// What tells one state of a file from another.
    private struct Stamp: Equatable {
        var inode: UInt64
        var size: Int64
        var seconds: Int
        var nanoseconds: Int
    }

    private func watch(_ path: String, _ separator: UInt8, _ definition: JoinDefinition) async {
        var last: Stamp?
        var problem = ""
        while !Task.isCancelled {
            let now = JoinLoader.stamp(path)
            if now != last || now == nil {
                do {
                    let table = try JoinTable(csv: try JoinLoader.content(path), key: definition.key, separator: separator)
                    joins.replace(table, of: definition.name)
                    let metrics = metrics[definition.name]
                    metrics?.values.add(table.count)
                    metrics?.rejected.add(table.badRows)
                    metrics?.keys.set(Double(table.count))
                    ready(definition.name)
                    problem = ""
                    let bad = table.badRows > 0 ? ", \(table.badRows) left out" : ""
                    environment.logger.info("join \(definition.name): \(table.count) rows of \(path)\(bad)")
                } catch {
                    say("\(error)", definition.name, &problem)
                }
                last = now
            }
            do { try await environment.sleep(JoinLoader.tableInterval) } catch { return }
        }
    }

    private static func stamp(_ path: String) -> Stamp? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Stamp(
            inode: UInt64(status.st_ino), size: Int64(status.st_size), seconds: status.st_mtim.tv_sec,
            nanoseconds: status.st_mtim.tv_nsec)
    }

    private static func content(_ path: String) throws(FollowedFile.Failure) -> [UInt8] {
        let file = try FollowedFile(path)
        guard file.size <= maximumTableBytes else {
            throw FollowedFile.Failure(description: "\(path) is larger than \(maximumTableBytes >> 20) MiB")
        }
        var bytes: [UInt8] = []
        while true {
            let piece = try file.read()
            if piece.isEmpty || bytes.count > maximumTableBytes { return bytes }
            bytes += piece
        }
    }

    // MARK: Topics

    private func follow(_ topic: String, _ definition: JoinDefinition) async {
        var backoff = Backoff(first: 200, limit: 10_000)
        var problem = ""
        while !Task.isCancelled {
            do {
                try await tail(topic, definition) { backoff.reset() }
            } catch {
                if Task.isCancelled { return }
                say("topic \(topic): \(error)", definition.name, &problem)
                do { try await environment.sleep(backoff.next()) } catch { return }
            }
        }
    }

    /// Reading all of it again after a failure changes nothing: a value is what it was.
    private func tail(_ topic: String, _ definition: JoinDefinition, _ succeeded: () -> Void) async throws {
        var reader = try JoinReader(definition)
        var missing = try await log.endOffsets(topic: topic).filter { $0.value > 0 }
        let consumer = try await log.tail(topics: [topic], from: .earliest)
        do {
            var silence = 0
            while !Task.isCancelled {
                let batch = try await consumer.poll(maxBytes: 1 << 20, timeout: missing.isEmpty ? 1_000 : 300)
                succeeded()
                take(batch.records, &reader, definition)
                for record in batch.records {
                    let partition = TopicPartition(record.topic, record.partition)
                    if let end = missing[partition], record.offset + 1 >= end { missing[partition] = nil }
                }
                // Offsets may lead to records that retention has taken: silence says the same.
                silence = batch.records.isEmpty ? silence + 1 : 0
                if silence >= 10 { missing = [:] }
                if missing.isEmpty { ready(definition.name) }
            }
        } catch {
            await consumer.close()
            throw error
        }
        await consumer.close()
    }

    private func take(_ records: [ConsumerRecord], _ reader: inout JoinReader, _ definition: JoinDefinition) {
        if records.isEmpty { return }
        let metrics = metrics[definition.name]
        var entries: [JoinEntry] = []
        for record in records {
            do throws(FlowProblem) {
                entries.append(try reader.read(record.value, arrival: record.appendTime))
            } catch {
                metrics?.rejected.add()
                environment.logger.debug("join \(definition.name): \(error)")
            }
        }
        metrics?.overLimit.add(joins.insert(entries, into: definition.name))
        metrics?.values.add(entries.count)
        metrics?.keys.set(Double(joins.keys(of: definition.name)))
    }
}
