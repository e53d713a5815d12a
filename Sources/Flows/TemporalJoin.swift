import TimeSeries

/// The values of a topic by key and time: answers what was true of a key at a time. The answer depends on the set of values alone, not on
/// the order in which they came; of two values of a key with one time the later to come counts.
///
/// A value counts for `keep` and no longer, until the next of its key. At most `maxKeys` keys are held, of each the newest values.
package struct TemporalJoin: Sendable {
    package typealias Fields = [String: FieldValue]

    fileprivate struct Version {
        var time: Milliseconds
        var fields: Fields
    }

    /// Values held of one key.
    package static let maximumVersions = 4_096

    package let keep: Milliseconds
    package let maxKeys: Int
    private var versions: [String: [Version]] = [:]
    private var newest: Milliseconds = .min
    private var prunedAt: Milliseconds = .min
    /// Values of new keys that found no room.
    package private(set) var refused = 0

    package init(keep: Milliseconds, maxKeys: Int) {
        self.keep = max(1, keep)
        self.maxKeys = max(1, maxKeys)
    }

    package var keys: Int { versions.count }

    /// Takes a value. O(log values of the key) in order of time.
    package mutating func insert(_ fields: Fields, key: String, at time: Milliseconds) {
        guard time > 0 else { return }
        newest = max(newest, time)
        if newest - keep > prunedAt { prune() }
        // Old enough to count for nothing that can still come.
        if time <= newest - 2 * keep { return }
        if versions[key] == nil, versions.count >= maxKeys {
            refused += 1
            return
        }
        versions[key, default: []].insert(Version(time: time, fields: fields))
    }

    /// Forgets what is twice as old as what counts, so that late events of one `keep` still find theirs.
    private mutating func prune() {
        prunedAt = newest
        let horizon = newest - 2 * keep
        for key in Array(versions.keys) {
            versions[key]?.removeAll { $0.time <= horizon }
            if versions[key]?.isEmpty ?? true { versions[key] = nil }
        }
    }

    /// The newest value of the key at or before `time`; nil if it is older than `keep`.
    package func fields(key: String, at time: Milliseconds) -> Fields? {
        guard let list = versions[key] else { return nil }
        let i = list.firstIndex(after: time) - 1
        guard i >= 0, list[i].time > time - keep else { return nil }
        return list[i].fields
    }

    package func value(key: String, field: String, at time: Milliseconds) -> FieldValue {
        fields(key: key, at: time)?[field] ?? .missing
    }
}

extension [TemporalJoin.Version] {
    /// Index of the first version after `time`. O(log n).
    fileprivate func firstIndex(after time: Milliseconds) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle].time <= time { low = middle + 1 } else { high = middle }
        }
        return low
    }

    fileprivate mutating func insert(_ version: Element) {
        let i = firstIndex(after: version.time)
        if i > 0, self[i - 1].time == version.time {
            self[i - 1] = version
        } else if i == 0, count >= TemporalJoin.maximumVersions {
            return
        } else {
            insert(version, at: i)
            if count > TemporalJoin.maximumVersions { removeFirst() }
        }
    }
}
