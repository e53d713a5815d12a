import Records
import TimeSeries

/// A route with a vehicle type.
struct MergeKey: Hashable, Sendable, Comparable {
    var route: String
    var type: String

    static func < (a: MergeKey, b: MergeKey) -> Bool { (a.route, a.type) < (b.route, b.type) }
}

/// How far a source partition has come.
struct MergeSource: Sendable, Equatable {
    var revision = Revision(rawValue: -1)
    var newest: Milliseconds?
    var through: Milliseconds?
    var isIdle = false
    /// Wall time of its last record; nil: its record came since the last step, or none ever did.
    var heard: Milliseconds?
    var isNews = false
}

/// One number of each source.
struct BySource<Value: Sendable & Equatable>: Sendable, Equatable {
    private(set) var parts: [(source: Int32, value: Value)] = []

    /// False if nothing changed.
    mutating func set(_ source: Int32, _ value: Value) -> Bool {
        if let i = parts.firstIndex(where: { $0.source == source }) {
            if parts[i].value == value { return false }
            parts[i].value = value
            return true
        }
        parts.append((source, value))
        return true
    }

    static func == (a: BySource, b: BySource) -> Bool { a.parts.elementsEqual(b.parts, by: { $0 == $1 }) }
}

/// Stage 2, one partition of the topic of partials, as a pure state machine: sums the newest partial counts over the source partitions.
package struct TrafficMerge: Sendable {
    struct TotalKey: Hashable, Sendable {
        var key: MergeKey
        var day: Int32?
    }

    /// Windows of one kind.
    struct Kind: Sendable {
        let window: TrafficOptions.Window
        /// By the number of the window's end, then by key.
        var ends: [Int64: [MergeKey: BySource<Int64>]] = [:]
        /// Rows of ends up to here were given.
        var given: Int64 = .min
        /// Routes with rows that changed since.
        var dirty: [Int64: Set<String>] = [:]
    }

    var options: TrafficOptions
    let epoch: Int64
    var consumed: Int64 = -1
    var sources: [MergeSource]
    var kinds: [Kind]
    var panes: [Int64: [MergeKey: BySource<PaneCell>]] = [:]
    var totals: [TotalKey: BySource<KeyCounts>] = [:]
    var dirtyTotals: Set<TotalKey> = []
    /// Wall time of the first step.
    var began: Milliseconds?
    /// Series of windows up to this time were given.
    var seriesThrough: Milliseconds = .min
    var lastTrim: Milliseconds = .min

    package init(options: TrafficOptions, sources: Int, epoch: Int64) {
        self.options = options
        self.epoch = epoch
        self.sources = [MergeSource](repeating: MergeSource(), count: max(1, sources))
        kinds = options.windows.map { Kind(window: $0) }
    }

    /// The offset to go on with after a checkpoint: one past the last record taken.
    package var nextOffset: Int64 { consumed + 1 }

    var revision: Revision { Revision(epoch: epoch, offset: max(0, consumed)) }

    /// The topic is another one, whose offsets begin anew.
    package mutating func forgetOffsets() { consumed = -1 }

    /// Beyond every time that can be: such a number times a step does not fit 64 bits.
    private static let indexBound: UInt64 = 1 << 36

    /// Goes on with other options; windows that are new begin with what comes.
    package mutating func apply(_ options: TrafficOptions) {
        if options.pane != self.options.pane { panes = [:] }
        let isSame = options.pane == self.options.pane
        self.options = options
        let before = kinds
        kinds = options.windows.map { window in
            isSame ? before.first { $0.window == window } ?? Kind(window: window) : Kind(window: window)
        }
    }

    /// Windows that end before this are forgotten.
    var oldestEnd: Milliseconds { lastTrim == .min ? .min / 4 : lastTrim }
    var oldestPane: Milliseconds { oldestEnd - options.longestWindow }
    /// Two days are kept after their end, whatever the route's offset.
    var oldestDay: Int64 { floorDivided(oldestEnd, CivilTime.day) - 4 }

    // MARK: Input

    /// Takes one record. Throws for bytes that are none; then nothing of it was taken.
    package mutating func ingest(_ bytes: [UInt8], offset: Int64) throws(DecodingFailure) {
        consumed = max(consumed, offset)
        let partial = try bytes.withUnsafeBufferPointer { (elements) throws(DecodingFailure) in
            try TrafficPartial(decoding: UnsafeRawBufferPointer(elements))
        }
        let s = Int(partial.source)
        guard s < 4096 else { throw DecodingFailure(offset: 3, message: "source partition \(s) cannot be") }
        while sources.count <= s { sources.append(MergeSource()) }
        // What a former owner of the partition still sends, or what is read twice.
        guard partial.revision >= sources[s].revision else { return }
        sources[s].revision = partial.revision
        sources[s].isNews = true
        if let progress = partial.progress {
            // Told by the progress alone, which is the last of a step: counts of one step can reach back further than its newest event lets one think.
            sources[s].newest = partial.newest ?? sources[s].newest
            sources[s].isIdle = progress.isIdle
            sources[s].through = progress.through ?? sources[s].through
            return
        }
        for item in partial.items { take(item, partial) }
    }

    private mutating func take(_ item: TrafficPartial.Item, _ partial: TrafficPartial) {
        switch item {
        case .total(let type, let day, let counts):
            let key = TotalKey(key: MergeKey(route: partial.route, type: partial.types[type]), day: day)
            if let day, Int64(day) < oldestDay { return }
            if totals[key, default: BySource()].set(partial.source, counts) { dirtyTotals.insert(key) }
        case .pane(let type, let index, let cell):
            guard index.magnitude < TrafficMerge.indexBound else { return }
            guard partial.pane == options.pane, index * options.pane >= oldestPane else { return }
            let key = MergeKey(route: partial.route, type: partial.types[type])
            var cell = cell
            cell.isDirty = false
            guard panes[index, default: [:]][key, default: BySource()].set(partial.source, cell) else { return }
            let end = index * options.pane
            for k in kinds.indices {
                let window = kinds[k].window
                // Windows not given yet are made of everything when their time comes.
                let first = max(ceilDivided(end, window.slide), ceilDivided(oldestEnd, window.slide))
                let last = min(kinds[k].given, floorDivided(end + window.length - options.pane, window.slide))
                if first <= last {
                    for end in first...last { kinds[k].dirty[end, default: []].insert(partial.route) }
                }
            }
        case .end(let type, let window, let index, let vehicles):
            guard index.magnitude < TrafficMerge.indexBound else { return }
            // What was forgotten must not come back with the counts of one source only.
            guard let k = kinds.firstIndex(where: { $0.window == window }), index * window.slide >= oldestEnd else { return }
            let key = MergeKey(route: partial.route, type: partial.types[type])
            if kinds[k].ends[index, default: [:]][key, default: BySource()].set(partial.source, vehicles), index <= kinds[k].given {
                kinds[k].dirty[index, default: []].insert(partial.route)
            }
        }
    }
}
