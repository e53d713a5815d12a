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
            state.settling = Task { [weak self, logger] in
                var rows = 0
                while !Task.isCancelled {
                    // Holds the store only while it uses it, so that one that is dropped meanwhile is gone.
                    switch await self?.settleSome() {
                    case .written(let more): rows += more
                    case .failed: try? await Task.sleep(for: .milliseconds(CassandraStore.pause))
                    case .done: return logger.info("\(node) was lost: \(rows) rows of the last seconds were written again")
                    case nil: return
                    }
                }
            }
        }
    }

    private enum Progress {
        /// Rows.
        case written(Int)
        case failed
        case done
    }

    private func settleSome() async -> Progress {
        let (entries, epoch, losses) = state.withLock {
            ($0.recent.newest(CassandraStore.settledAtOnce), $0.recent.dueEpoch, $0.recent.losses)
        }
        do {
            if let epoch {
                try await raise(epoch.name, to: epoch.epoch)
                state.withLock { $0.recent.settleEpoch(epoch.name, losses) }
                return .written(0)
            }
            if entries.isEmpty { return isDone() ? .done : .written(0) }
            let session = try await connected().session
            _ = try await concurrently(entries) { entry in try await self.run(entry.batches, session, entry.now) }
            state.withLock { $0.recent.settle(entries.count, losses, at: Clock.now()) }
            return .written(entries.reduce(0) { $0 + $1.rows })
        } catch { return .failed }
    }

    /// Between two looks more may have become due.
    private func isDone() -> Bool {
        state.withLock { state in
            if state.recent.isSettled { state.settling = nil }
            return state.settling == nil
        }
    }

    /// Waits a while for what is being written again.
    func settleBeforeClosing(within milliseconds: Int64 = 5000) async {
        let end = Clock.now() + milliseconds
        while state.withLock({ $0.settling != nil }), Clock.now() < end, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(20))
        }
        stopSettling()
    }

    /// Says what it leaves undone.
    func stopSettling() {
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
