import TimeSeries

/// Orders the versions of one fact: a higher revision replaces a lower one, an equal one changes nothing.
///
/// It is the input offset up to which the fact was computed, below the epoch of the shard's owner, so that a former owner's late
/// writes lose and a repeated computation after a crash can never lose to its own past. 19 bits of epoch, 44 of offset.
package struct Revision: Hashable, Sendable, Comparable {
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }

    package init(epoch: Int64, offset: Int64) {
        let offsetBits = Int64(1) << 44
        // Past the last epoch facts no longer replace those of the one before; wrapping would make them lose to all.
        rawValue = min(max(0, epoch), (Int64(1) << 19) - 1) * offsetBits + min(max(0, offset), offsetBits - 1)
    }

    /// The offset below the epoch.
    package var offset: Int64 { rawValue & ((Int64(1) << 44) - 1) }

    package static func < (a: Revision, b: Revision) -> Bool { a.rawValue < b.rawValue }
}

/// A series as results name it.
package struct SeriesKey: Hashable, Sendable {
    package let id: Fingerprint
    package let labels: LabelSet
    package let type: MetricType

    package init(labels: LabelSet, type: MetricType, id: Fingerprint? = nil) {
        self.labels = labels
        self.type = type
        self.id = id ?? labels.fingerprint
    }

    package static func == (a: SeriesKey, b: SeriesKey) -> Bool { a.id == b.id }
    package func hash(into hasher: inout Hasher) { hasher.combine(id) }
}
