import History
import Records
import Storage
import TimeSeries

/// A store's own raw archive: sealed chunks, a part for each of 64 groups of shards. Memory: one series' chunks of `span` at a time.
package struct StoreInput: HistoryInput {
    private let store: any ResultStore
    private let selectors: [[LabelMatcher]]
    private let options: HistoryOptions
    private static let groups = 64
    private static let pageSize = 1_000
    /// Chunks are asked for this much at a time.
    private static let span: Milliseconds = 7 * 86_400_000
    private let listing = Listing()

    /// The store is the caller's to close.
    package init(store: any ResultStore, selectors: [[LabelMatcher]], options: HistoryOptions) {
        self.store = store
        self.selectors = selectors
        self.options = options
    }

    package var details: [(name: String, value: String)] { [("parts", "\(StoreInput.groups)")] }

    /// Series by group, listed once.
    private actor Listing {
        var groups: [[StoredSeries]] = []
        func set(_ groups: [[StoredSeries]]) { self.groups = groups }
    }

    package func prepare(_ context: BackfillContext) async throws -> [Int] {
        context.progress.set(stage: "listing series")
        var groups = Array(repeating: [Fingerprint: StoredSeries](), count: StoreInput.groups)
        for matchers in selectors.isEmpty ? [[]] : selectors {
            var page = PageRequest(limit: StoreInput.pageSize)
            while true {
                try Task.checkCancellation()
                let series = try await store.series(matching: matchers, page: page)
                for one in series { groups[Int(one.key.id.shard.index) * StoreInput.groups / Shard.count][one.key.id] = one }
                guard series.count == StoreInput.pageSize, let last = series.last else { break }
                page.after = last.key.id
            }
        }
        await listing.set(groups.map { Array($0.values) })
        return groups.map { max(1, $0.count) }
    }

    package func read(part: Int, into analysis: PartAnalysis) async throws {
        let series = await listing.groups[part].map { ($0, SeriesNotation.bytes($0.key.labels)) }
        for (one, text) in series.sorted(by: { $0.1.lexicographicallyPrecedes($1.1) }) {
            analysis.begin(one.key, text: text)
            try await read(one, into: analysis)
            try await analysis.end()
        }
    }

    private func read(_ series: StoredSeries, into analysis: PartAnalysis) async throws {
        var from = max(options.firstSample ?? .min, series.firstSeen - StoreInput.span)
        let to = min(options.to ?? .max, series.lastSeen)
        var last = Milliseconds.min
        var buffer = ChunkBuffer()
        while from < to {
            let next = min(to, from + StoreInput.span)
            for chunk in try await store.chunks(of: series.key.id, from: from, to: next) where chunk.start >= last {
                last = chunk.end
                try add(chunk, &buffer, into: analysis)
            }
            try await analysis.flush()
            from = next
        }
    }

    /// Chunks that overlap two spans come twice; the second time they are passed over by their place.
    private func add(_ chunk: ChunkResult, _ buffer: inout ChunkBuffer, into analysis: PartAnalysis) throws {
        do {
            try chunk.data.withUnsafeBytes { (raw) throws in
                try ChunkCodec.verify(raw)
                try ChunkCodec.decode(raw, into: &buffer)
            }
        } catch {
            throw BackfillError(.badRow, "the chunk of \(chunk.series.labels) from \(chunk.start) to \(chunk.end) cannot be read: \(error)")
        }
        let skip = buffer.hasCarry && buffer.count > 0 ? 1 : 0
        try buffer.times.withUnsafeBufferPointer { times in
            try buffer.values.withUnsafeBufferPointer { values in
                try analysis.add(
                    times: UnsafeBufferPointer(rebasing: times[skip...]), values: UnsafeBufferPointer(rebasing: values[skip...]))
            }
        }
    }
}
