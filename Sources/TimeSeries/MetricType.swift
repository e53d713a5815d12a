/// What a sample's numbers mean, from `# TYPE`, remote-write metadata or, without them, the name (see `MetricType.guess`).
package enum MetricType: UInt8, Sendable {
    case unknown = 0
    case gauge = 1
    /// A cumulative count that only grows or restarts; what is analysed is its per-second rate.
    case counter = 2

    /// The type that a name alone suggests: the Prometheus suffixes of cumulative series mean a counter.
    package static func guess(name: String) -> MetricType {
        for suffix in ["_total", "_count", "_sum", "_bucket"] where name.hasSuffix(suffix) { return .counter }
        return .gauge
    }
}

/// Prometheus' staleness marker: the NaN with this bit pattern says that a series has ended.
package enum StaleMarker {
    package static let bits: UInt64 = 0x7ff0_0000_0000_0002
    package static let value = Double(bitPattern: bits)
    @inlinable package static func isStale(_ value: Double) -> Bool { value.bitPattern == 0x7ff0_0000_0000_0002 }
}
