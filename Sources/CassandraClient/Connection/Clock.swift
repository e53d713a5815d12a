import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

package enum Clock {
    /// Milliseconds of a clock that only goes forward.
    package static func now() -> Int64 { read(CLOCK_MONOTONIC) / 1_000_000 }

    /// Microseconds since 1970 UTC.
    static func wall() -> Int64 { read(CLOCK_REALTIME) / 1000 }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// Gives out write timestamps: microseconds, each later than the one before, so that of two writes of this process the second wins, also
/// when the clock was set back between them.
package final class TimestampGenerator: Sendable {
    private let last = Atomic<Int64>(0)
    private let clock: @Sendable () -> Int64

    package convenience init() { self.init(clock: { Clock.wall() }) }
    init(clock: @escaping @Sendable () -> Int64) { self.clock = clock }

    package func next() -> Int64 {
        var known = last.load(ordering: .relaxed)
        while true {
            let next = max(known + 1, clock())
            let (done, seen) = last.compareExchange(expected: known, desired: next, ordering: .relaxed)
            if done { return next }
            known = seen
        }
    }
}
