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
        var chunk = ChunkSamples()
        for one in await series(ofPart: part) {
            analysis.begin(one.key, text: one.text)
            try await chunks(of: one) { found in
                do { try chunk.decode(found.data) } catch {
                    throw BackfillError(
                        .badRow, "the chunk of \(found.series.labels) from \(found.start) to \(found.end) cannot be read: \(error)")
                }
                try chunk.withSamples { (times, values) throws(HistoryOrderError) in try analysis.add(times: times, values: values) }
                try await analysis.flush()
            }
            try await analysis.end()
        }
    }
}

// MARK: Chunks as they are

extension StoreInput {
    /// A series of the archive.
    package struct Series: Sendable {
        package var key: SeriesKey
        /// Canonical text: what results name it by.
        package var text: [UInt8]
        fileprivate var stored: StoredSeries
    }

    /// The series of a part, sorted by the bytes of their text. After `prepare`.
    package func series(ofPart part: Int) async -> [Series] {
        await listing.groups[part].map { Series(key: $0.key, text: SeriesNotation.bytes($0.key.labels), stored: $0) }
            .sorted { $0.text.lexicographicallyPrecedes($1.text) }
    }

    /// Gives the chunks of a series that matter, in order of time, each stretch of time once.
    package func chunks(of series: Series, _ body: (ChunkResult) async throws -> Void) async throws {
        let stored = series.stored
        var from = max(options.firstSample ?? .min, stored.firstSeen - StoreInput.span)
        let to = min(options.to ?? .max, stored.lastSeen)
        var last = Milliseconds.min
        while from < to {
            try Task.checkCancellation()
            let next = min(to, from + StoreInput.span)
            // Chunks that overlap two stretches come twice; the second time they are passed over by their place.
            for chunk in try await store.chunks(of: stored.key.id, from: from, to: next) where chunk.start >= last {
                last = chunk.end
                try await body(chunk)
            }
            from = next
        }
    }
}
