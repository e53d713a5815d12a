import TimeSeries

/// The incident of a series that is open or was the last.
struct IncidentState: Sendable, Equatable {
    var isOpen = false
    var onset: Milliseconds = 0
    /// First and last sample of the present run of suspicious ones.
    var suspectSince: Milliseconds = 0
    var suspectLast: Milliseconds = 0
    /// Samples since the last suspicious one, and since the incident's greatest surprise.
    var quiet = Int32.max
    var since = 0.0
    var surprise = 0.0
    var expected = 0.0
    var seen = 0.0
    var cause = AnomalyCause.highValue

    mutating func countSample() {
        since += 1
        if quiet < .max { quiet += 1 }
    }

    /// Notes a suspicious sample; one soon after another belongs to the same run.
    mutating func suspect(_ time: Milliseconds, within run: Int) {
        if Int(quiet) > run, !isOpen { suspectSince = time }
        suspectLast = time
        quiet = 0
    }

    mutating func raise(_ surprise: Double, _ cause: AnomalyCause, time: Milliseconds, expected: Double, seen: Double) -> AnomalyEvent {
        if !isOpen { onset = suspectSince }
        isOpen = true
        self.surprise = surprise
        self.cause = cause
        self.expected = expected
        self.seen = seen
        since = 0
        return event(time)
    }

    mutating func end(at time: Milliseconds) -> AnomalyEvent? {
        guard isOpen else { return nil }
        isOpen = false
        var ended = event(time)
        ended.end = suspectLast
        quiet = .max
        return ended
    }

    private func event(_ time: Milliseconds) -> AnomalyEvent {
        AnomalyEvent(
            onset: onset, end: nil, time: time, score: surprise / TailBank.ceiling, expected: expected, seen: seen, cause: cause)
    }
}
