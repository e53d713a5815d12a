/// How far event time has come, by source.
///
/// A source promises with every record that it will send no sample at or before its watermark any more. A source that falls silent
/// for `idleTimeout` of wall time follows the wall clock at that distance, so that its windows go on sliding; what it sends later
/// is late, and still counts within the allowed lateness. Watermarks never go back.
package struct EventClock: Sendable {
    struct Source: Sendable {
        var watermark: Milliseconds
        /// Wall time of its last record.
        var heard: Milliseconds
    }

    package let idleTimeout: Milliseconds
    private var sources: [UInt64: Source] = [:]

    package init(idleTimeout: Milliseconds) { self.idleTimeout = idleTimeout }

    package var sourceIDs: [UInt64] { Array(sources.keys) }

    /// Takes a record's promise. `now` is wall time.
    package mutating func observe(source: UInt64, watermark: Milliseconds, now: Milliseconds) {
        let before = sources[source]?.watermark ?? .min
        sources[source] = Source(watermark: max(before, watermark), heard: now)
    }

    /// Up to which time evaluations may be made.
    package func watermark(of source: UInt64, now: Milliseconds) -> Milliseconds {
        guard let known = sources[source] else { return .min }
        return now - known.heard > idleTimeout ? max(known.watermark, now - idleTimeout) : known.watermark
    }

    /// Up to which time samples may be sealed (the allowed lateness is for the caller to subtract). Only the source's own promise counts, until it has been
    /// silent for an hour: a stalled source that comes back must find its samples welcome.
    package func sealingWatermark(of source: UInt64, now: Milliseconds) -> Milliseconds {
        guard let known = sources[source] else { return .min }
        let silence: Milliseconds = 3_600_000
        return now - known.heard > silence ? max(known.watermark, now - silence) : known.watermark
    }

    /// What the source itself has promised.
    package func promise(of source: UInt64) -> Milliseconds { sources[source]?.watermark ?? .min }

    /// Takes back promises beyond `limit`, which only a clock that was ahead can have made. True if there was one.
    package mutating func clamp(to limit: Milliseconds) -> Bool {
        var isAhead = false
        for (source, known) in sources where known.watermark > limit {
            sources[source]?.watermark = limit
            sources[source]?.heard = min(known.heard, limit)
            isAhead = true
        }
        return isAhead
    }

    /// Whether a source is unknown or has sent nothing for `idleTimeout`.
    package func isSilent(_ source: UInt64, now: Milliseconds) -> Bool {
        guard let known = sources[source] else { return true }
        return now - known.heard > idleTimeout
    }

    package mutating func forget(_ source: UInt64) { sources[source] = nil }
}
