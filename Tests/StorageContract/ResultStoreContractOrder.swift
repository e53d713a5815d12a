import Records
import Storage
import TestSupport
import Testing
import TimeSeries

extension ResultStoreContract {
    /// Random batches in random order with repetitions: after all of them a store holds what the model holds.
    static func anyOrder(_ backend: any StoreBackend) async throws {
        for seed in [1, 2, 3] as [UInt64] {
            var random = SplitMix64(seed: seed)
            let keys = (0..<6).map { key("seed\(seed)_\($0)") }
            let batches = (0..<20).map { _ in randomBatch(keys, &random) }
            let model = ModelStore()
            for batch in batches { try await model.write(batch) }
            let expected = try await contents(of: model, keys.map(\.id))

            let store = try await backend.open()
            for batch in (batches + batches.shuffled(using: &random).prefix(10)).shuffled(using: &random) { try await store.write(batch) }
            let matcher = LabelMatcher("__name__", .matches, "seed\(seed)_.*")
            let own = try await store.series(matching: [matcher], page: PageRequest(limit: 100)).map(\.key.id)
            #expect(own == keys.map(\.id).sorted(), "seed \(seed)")
            let found = try await contents(of: store, keys.map(\.id)).filter { line in
                !line.hasPrefix("series") || keys.contains { line.contains($0.id.description) }
            }
            #expect(found == expected, "seed \(seed)")
            await store.close()
        }
    }

    /// What a fact says depends on its key and revision alone, as it does in the product.
    private static func randomBatch(_ keys: [SeriesKey], _ random: inout SplitMix64) -> StoreBatch {
        var batch = StoreBatch()
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            let known = keys[Int.random(in: 0..<keys.count, using: &random)]
            let time = start + Int64.random(in: 0..<200, using: &random) * 75 * second
            let revision = Int64.random(in: 1...4, using: &random)
            // The type changes in time.
            let series = SeriesKey(labels: known.labels, type: time > start + 2 * hour ? .counter : .gauge, id: known.id)
            let value = Double(revision) + Double(time - start) / 7
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                let lengths = Array([hour, 3 * hour, 12 * hour].shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random)))
                batch.windows.append(windows(series, at: time, revision: revision, value: value, of: lengths))
            case 1: batch.profiles.append(profile(series, at: time, revision: revision, verdict: "v\(value)"))
            case 2:
                let horizon = [10 * minute, 4 * hour].randomElement(using: &random) ?? minute
                batch.forecasts.append(forecast(series, at: time, revision: revision, value: value, horizon: horizon))
            default:
                let from = time - time % (30 * minute)
                batch.chunks.append(chunk(series, from: from, to: from + 30 * minute + revision, revision: revision))
            }
        }
        return batch
    }
}
