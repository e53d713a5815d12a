import Messaging
import Records
import Synchronization
import TimeSeries

@testable import Collecting

/// A log in memory that only takes records, and can be told to refuse or to hang.
final class MemoryLog: MessageLog {
    enum Mood: Sendable {
        case takes
        case fails(MessagingError)
        /// Waits until the mood changes.
        case hangs
    }

    struct State {
        var records: [ProducerRecord] = []
        var mood = Mood.takes
        var attempts = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var records: [ProducerRecord] { state.withLock { $0.records } }
    var attempts: Int { state.withLock { $0.attempts } }

    func set(_ mood: Mood) {
        let waiting = state.withLock { state in
            state.mood = mood
            defer { state.waiting = [] }
            return state.waiting
        }
        for one in waiting { one.resume() }
    }

    func produce(_ records: [ProducerRecord]) async throws {
        state.withLock { $0.attempts += 1 }
        while true {
            let failure: MessagingError?
            switch state.withLock({ $0.mood }) {
            case .takes:
                state.withLock { $0.records += records }
                return
            case .fails(let error): failure = error
            case .hangs:
                failure = nil
                await withCheckedContinuation { continuation in
                    let isOver = state.withLock { state in
                        if case .hangs = state.mood {
                            state.waiting.append(continuation)
                            return false
                        }
                        return true
                    }
                    if isOver { continuation.resume() }
                }
            }
            if let failure { throw failure }
        }
    }

    struct Unused: Error {}
    func consumer(topics: [String], group: String) async throws -> any MessageConsumer { throw Unused() }
    func tail(topics: [String], from start: TailStart) async throws -> any MessageConsumer { throw Unused() }
    func endOffsets(topic: String) async throws -> [TopicPartition: Offset] { [:] }
    func committedOffsets(topic: String, group: String) async throws -> [TopicPartition: Offset] { [:] }
    func partitionCount(topic: String) async throws -> Int { 1 }
    func close() async {}
}

struct Sample: Hashable, CustomStringConvertible {
    var time: Milliseconds
    var bits: UInt64

    init(_ time: Milliseconds, _ value: Double) {
        self.time = time
        bits = value.bitPattern
    }

    var value: Double { Double(bitPattern: bits) }
    var isStale: Bool { StaleMarker.isStale(value) }
    var description: String { isStale ? "(\(time), stale)" : "(\(time), \(value))" }
}

/// Everything that records say, by series in Prometheus notation.
struct Decoded {
    var samples: [String: [Sample]] = [:]
    var types: [String: MetricType] = [:]
    var watermarks: [Milliseconds] = []
    var sources: Set<UInt64> = []

    init(_ records: [ProducerRecord]) throws {
        for record in records {
            try record.value.withUnsafeBytes { bytes in
                let decoded = try SamplesRecord(decoding: bytes)
                let series = try SeriesSection.decode(UnsafeRawBufferPointer(rebasing: bytes[decoded.sectionRange]))
                watermarks.append(decoded.watermark)
                sources.insert(decoded.source)
                let counts = decoded.counts ?? Array(repeating: 1, count: series.count)
                var at = 0
                for (key, count) in zip(series, counts) {
                    guard record.key == .shard(key.id.shard) else { throw WrongShard(series: "\(key.labels)") }
                    types["\(key.labels)"] = key.type
                    for _ in 0..<count {
                        let time = decoded.times.count == 1 && decoded.counts == nil ? decoded.times[0] : decoded.times[at]
                        samples["\(key.labels)", default: []].append(Sample(time, decoded.values[at]))
                        at += 1
                    }
                }
            }
        }
    }

    struct WrongShard: Error { var series: String }

    func values(_ series: String) -> [Double] { (samples[series] ?? []).map(\.value) }

    /// The series whose name is `name`.
    func named(_ name: String) -> [String: [Sample]] { samples.filter { $0.key == name || $0.key.hasPrefix(name + "{") } }
}
