import History
import Logging
import Records
import Storage
import TimeSeries

/// Results into a store, in batches of bounded size, each one transaction. The store's own policy says which rows its history keeps.
package struct StoreSink: HistorySink {
    private let store: any ResultStore
    private let patience: Patience

    /// The store is the caller's to close.
    package init(store: any ResultStore, logger: Logger) {
        self.store = store
        patience = Patience(logger: logger)
    }

    package func open(part: Int) async throws -> any HistoryPartSink { DecodedPartSink(part: part, write: write) }
    package func finish() async throws {}
    package func close() async {}

    private func write(_ results: TransformResults) async throws {
        var batch = StoreBatch()
        batch.windows = results.windows
        batch.profiles = results.profiles
        batch.forecasts = results.forecasts
        try await patience.retrying("the store") { [store, batch] in try await store.write(batch) }
    }
}
