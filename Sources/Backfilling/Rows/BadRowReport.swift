import Synchronization

/// Bad rows of a job: what is done about them, how many there were, and the first few in words. Shared by all workers.
package final class BadRowReport: Sendable {
    private static let maximumNotes = 5
    package let policy: BadRows
    private let state = Mutex<(count: Int, notes: [String])>((0, []))

    package init(_ policy: BadRows) { self.policy = policy }

    package var count: Int { state.withLock { $0.count } }
    package var notes: [String] { state.withLock { $0.notes } }

    /// - Parameter place: `file:line`; asked for only where it is told.
    /// Throws `badRow` where a bad row ends the job.
    package func note(_ message: String, at place: () -> String) throws(BackfillError) {
        if policy == .fail {
            throw BackfillError(.badRow, "\(place()): \(message); correct the row, or leave such rows out with --bad-rows skip")
        }
        let isTold = state.withLock { state in
            state.count += 1
            return state.notes.count < BadRowReport.maximumNotes
        }
        guard isTold else { return }
        let note = "\(place()): \(message)"
        state.withLock { if $0.notes.count < BadRowReport.maximumNotes { $0.notes.append(note) } }
    }
}
