import Synchronization
import Testing

/// Runs `body`, then waits until all tasks that it has started are over, those too that nobody holds: each of them inherits a task-local
/// value, which is gone when the last one is.
package func untilAllTasksEnd(
    _ what: String, sourceLocation: SourceLocation = #_sourceLocation, isolation: isolated (any Actor)? = #isolation,
    _ body: () async throws -> Void
) async throws {
    let reference = WitnessReference()
    try await TaskWitness.$current.withValue(reference.make(), operation: body)
    try await eventually("all tasks of \(what) are over", sourceLocation: sourceLocation) { reference.isGone }
}

private final class TaskWitness: Sendable {
    @TaskLocal static var current: TaskWitness?
}

private final class WitnessReference: Sendable {
    private struct Weak: Sendable { weak var witness: TaskWitness? }
    private let weak = Mutex(Weak())

    func make() -> TaskWitness {
        let witness = TaskWitness()
        weak.withLock { $0.witness = witness }
        return witness
    }

    var isGone: Bool { weak.withLock { $0.witness == nil } }
}
