import TimeSeries

/// When a target is scraped: at its own offset within the interval, so that many targets do not all come at once. The offset
/// is a hash of the target's name, the same after every restart, as in Prometheus.
struct ScrapeSchedule {
    let interval: Milliseconds
    let offset: Milliseconds

    init(name: String, interval: Milliseconds) {
        self.interval = max(1, interval)
        offset = Milliseconds(Fingerprint(hashing: Array(name.utf8)).high % UInt64(self.interval))
    }

    /// The first slot after `now`. Slots that were missed are not made up for.
    func slot(after now: Milliseconds) -> Milliseconds {
        let shifted = now - offset
        let floor = shifted >= 0 ? shifted / interval : (shifted - interval + 1) / interval
        return (floor + 1) * interval + offset
    }

    /// How late a scrape may start and still carry its slot's time: 1 % of the interval, 100 ms at most. Even timestamps compress to
    /// almost nothing. (Prometheus has the same rule with 2 ms at most; a busy small machine wakes later than that.)
    var tolerance: Milliseconds { min(interval / 100, 100) }

    /// How long before a slot a new owner of the target must have come to take it: 5 % of the interval, 250 ms at most.
    var handoverMargin: Milliseconds { min(interval / 20, 250) }

    /// The time that the samples of the scrape of `slot` carry, when it started at `start`.
    func timestamp(slot: Milliseconds, startedAt start: Milliseconds) -> Milliseconds {
        start >= slot && start - slot <= tolerance ? slot : start
    }
}
