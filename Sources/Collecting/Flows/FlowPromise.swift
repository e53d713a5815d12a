import TimeSeries

/// How far a flow has come: the oldest of what its parts (partitions of a topic) have reached, less the disorder that is allowed for. A
/// part that is silent for a while no longer holds back the others. Never goes back.
struct FlowPromise {
    private struct Part {
        var newest: Milliseconds
        var heard: Milliseconds
    }

    /// Of wall time.
    private static let patience: Milliseconds = 10_000
    private let disorder: Milliseconds
    private var parts: [Int32: Part] = [:]
    private var promised: Milliseconds = 0
    /// The newest time seen; 0 before the first.
    private(set) var newest: Milliseconds = 0

    init(disorder: Milliseconds) { self.disorder = disorder }

    /// A part came, of which nothing is known yet.
    mutating func begin(_ part: Int32, now: Milliseconds) { parts[part] = Part(newest: .min, heard: now) }

    mutating func end(_ part: Int32) { parts[part] = nil }

    mutating func observe(_ part: Int32, _ time: Milliseconds, now: Milliseconds) {
        newest = max(newest, time)
        parts[part] = Part(newest: max(time, parts[part]?.newest ?? .min), heard: now)
    }

    /// The flow will hardly send anything at or before this time.
    mutating func value(now: Milliseconds) -> Milliseconds {
        let slowest = parts.values.filter { now - $0.heard <= FlowPromise.patience }.map(\.newest).min()
        if let slowest, slowest > .min { promised = max(promised, slowest - disorder) }
        return promised
    }
}
