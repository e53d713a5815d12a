import TimeSeries

/// What happens to reports on their way. Shares of the reports, from 0 to 1; those of malformed, too late, late and out of order
/// together at most 1, as a report has at most one of these fates.
package struct DeliveryOptions: Sendable, Equatable {
    /// Come a second time, byte by byte the same.
    package var duplicates = 0.0
    /// Come up to `disorderBound` late.
    package var disorder = 0.0
    /// Come later than that, but within half the allowed lateness: never refused.
    package var late = 0.0
    /// Come when they must be refused.
    package var tooLate = 0.0
    /// Are broken on the way, in one of the ways of `Fault`.
    package var malformed = 0.0
    package var allowedLateness: Milliseconds = 600_000

    package init() {}

    package var disorderBound: Milliseconds { min(4_000, allowedLateness / 4) }

    /// An accepted report comes at most this much after its time; so does its duplicate.
    package var longestDelay: Milliseconds { max(0, allowedLateness / 2) }
}

/// A report as it arrives.
package struct Delivery: Sendable, Equatable {
    package enum Fate: Sendable, Equatable {
        case onTime, outOfOrder, late, tooLate, duplicate
        case malformed(Fault)
    }

    package var event: FleetEvent
    package var fate: Fate
}

/// What was sent, by fate.
package struct DeliveryCounts: Sendable, Equatable {
    package var onTime = 0
    package var outOfOrder = 0
    package var late = 0
    package var tooLate = 0
    package var duplicates = 0
    /// By fault.
    package var malformed = [Int](repeating: 0, count: Fault.allCases.count)

    package var sent: Int { onTime + outOfOrder + late + tooLate + duplicates + malformed.reduce(0, +) }

    mutating func count(_ fate: Delivery.Fate) {
        switch fate {
        case .onTime: onTime += 1
        case .outOfOrder: outOfOrder += 1
        case .late: late += 1
        case .tooLate: tooLate += 1
        case .duplicate: duplicates += 1
        case .malformed(let fault): malformed[Int(fault.rawValue)] += 1
        }
    }
}
