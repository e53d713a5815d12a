import CassandraClient
import Logging
import Storage
import Synchronization

/// Writing again what a node that was lost may have forgotten.
extension CassandraStore {
    /// Milliseconds between two attempts while no node answers.
    private static let pause: Int64 = 500
    /// Writes that are repeated at the same time.
    private static let settledAtOnce = 16

    /// Called at each loss of a connection.
    func lost(_ node: NodeAddress) {
        state.withLock { state in
            state.recent.lose()
            if state.isClosed || state.settling != nil || state.recent.isSettled { return }
            state.settling = Task { await self.settle(node) }
        }
    }

    private func settle(_ node: NodeAddress) async {
        var rows = 0
        while !Task.isCancelled {
            let (entries, epoch, losses) = state.withLock {
                ($0.recent.newest(CassandraStore.settledAtOnce), $0.recent.dueEpoch, $0.recent.losses)
            }
            do {
                if let epoch {
                    try await raise(epoch.name, to: epoch.epoch)
                    state.withLock { $0.recent.settleEpoch(epoch.name, losses) }
                } else if !entries.isEmpty {
                    let session = try await connected().session
                    _ = try await concurrently(entries) { entry in try await self.run(entry.batches, session, entry.now) }
                    rows += entries.reduce(0) { $0 + $1.rows }
                    state.withLock { $0.recent.settle(entries.count, losses, at: Clock.now()) }
                } else if isDone() {
                    logger.info("\(node) was lost: \(rows) rows of the last seconds were written again")
                    return
                }
            } catch { try? await Task.sleep(for: .milliseconds(CassandraStore.pause)) }
        }
    }

    /// Between two looks more may have become due.
    private func isDone() -> Bool {
        state.withLock { state in
            if state.recent.isSettled { state.settling = nil }
            return state.settling == nil
        }
    }

    /// Waits a while for what is being written again; says what it leaves undone.
    func settleBeforeClosing(within milliseconds: Int64 = 5000) async {
        let end = Clock.now() + milliseconds
        while state.withLock({ $0.settling != nil }), Clock.now() < end, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(20))
        }
        let (task, left) = state.withLock { ($0.settling, $0.recent.dueRows) }
        task?.cancel()
        if left > 0 {
            logger.warning(
                """
                \(left) rows were acknowledged shortly before a node was lost and could not be written again: where no other replica has them they \
                may be missing (see commitlog_sync of Cassandra)
                """)
        }
    }
}
