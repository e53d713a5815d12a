import KafkaMessaging
import Logging
import Messaging
import Records
import Synchronization
import Telemetry
import TimeSeries

/// An independent reader of the topic of samples: all samples that were acknowledged, the first of each time. It reads along, as the mock
/// broker forgets.
final class SampleReader: Sendable {
    struct Series: Sendable {
        var key: SeriesKey
        var samples: [Milliseconds: Double] = [:]
        /// As they came, also those of times that were there.
        var arrivals: [(time: Milliseconds, value: Double)] = []
    }

    private struct State {
        var series: [Fingerprint: Series] = [:]
        var sections: [UInt64: [SeriesKey]] = [:]
        var next: [Int32: Offset] = [:]
        var problem: String?
    }

    private let log: KafkaLog
    private let topic: String
    private let state = Mutex(State())

    /// Begins to read in a task that ends with the log.
    init(_ log: KafkaLog, topic: String) async throws {
        self.log = log
        self.topic = topic
        let tail = try await log.tail(topics: [topic], from: .earliest)
        Task { [weak self] in
            while let self {
                do {
                    for record in try await tail.poll(maxBytes: 4 << 20, timeout: 200).records { try self.take(record) }
                } catch let error as MessagingError where error.code == .unavailable {
                    // The broker is away for a moment.
                    try? await Task.sleep(for: .milliseconds(100))
                } catch {
                    self.state.withLock { $0.problem = "\(error)" }
                    return
                }
            }
        }
    }

    var series: [Fingerprint: Series] { state.withLock { $0.series } }
    var problem: String? { state.withLock { $0.problem } }

    /// Waits until all that is on the topic now has been read.
    func hasReadAll() async throws -> Bool {
        let ends = try await log.endOffsets(topic: topic)
        return state.withLock { state in ends.allSatisfy { (state.next[$0.key.partition] ?? 0) >= $0.value } }
    }

    private func take(_ record: ConsumerRecord) throws {
        let decoded = try record.value.withUnsafeBytes { try SamplesRecord(decoding: $0) }
        try state.withLock { state in
            if record.offset != state.next[record.partition] ?? 0 {
                state.problem = "partition \(record.partition): expected offset \(state.next[record.partition] ?? 0), read \(record.offset)"
            }
            state.next[record.partition] = record.offset + 1
            let keys: [SeriesKey]
            if let known = state.sections[decoded.sectionHash] {
                keys = known
            } else {
                keys = try record.value.withUnsafeBytes {
                    try SeriesSection.decode(UnsafeRawBufferPointer(rebasing: $0[decoded.sectionRange]))
                }
                state.sections[decoded.sectionHash] = keys
            }
            var at = 0
            for (i, key) in keys.enumerated() {
                for _ in 0..<(decoded.counts?[i] ?? 1) {
                    let time = decoded.times.count == 1 ? decoded.times[0] : decoded.times[at]
                    let value = decoded.values[at]
                    state.series[key.id, default: Series(key: key)].arrivals.append((time, value))
                    if state.series[key.id]?.samples[time] == nil { state.series[key.id]?.samples[time] = value }
                    at += 1
                }
            }
        }
    }
}

/// Windows by the plain definition: values in (t - window, t]; of counters the rate since the sample before.
func expectedValues(
    _ type: MetricType, _ samples: [(time: Milliseconds, value: Double)], at t: Milliseconds, window: Milliseconds
) -> [Double] {
    var values: [Double] = []
    var low = samples.startIndex
    var high = samples.endIndex
    while low < high {
        let middle = (low + high) / 2
        if samples[middle].time <= t - window { low = middle + 1 } else { high = middle }
    }
    for i in samples[low...].indices {
        let sample = samples[i]
        if sample.time > t { break }
        if sample.value.isNaN { continue }
        if type != .counter {
            values.append(sample.value)
        } else if i > 0, !samples[i - 1].value.isNaN {
            let before = samples[i - 1]
            let increase = sample.value >= before.value ? sample.value - before.value : sample.value
            values.append(increase / (Double(sample.time - before.time) / 1000))
        }
    }
    return values
}
