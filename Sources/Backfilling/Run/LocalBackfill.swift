import History
import Synchronization
import TimeSeries

/// What a job came to, with what earlier starts had done.
package struct BackfillSummary: Sendable, Equatable {
    package var parts = 0
    package var samples = 0
    package var lines = 0
    package var badRows = 0
    /// Samples left out because another value of the same time came before.
    package var conflicts = 0
    /// Nothing was left to do.
    package var wasDone = false

    package init() {}
}

/// Runs a job on this machine: workers take parts in turn; a part whose output is durable stands in the journal and is not done again.
///
/// The output does not depend on the number of workers: parts and what is in them follow from the input alone.
package struct LocalBackfill: Sendable {
    private let context: BackfillContext
    private let input: any HistoryInput
    private let sink: any HistorySink

    package init(_ context: BackfillContext, input: any HistoryInput, sink: any HistorySink) {
        self.context = context
        self.input = input
        self.sink = sink
    }

    /// Throws `BackfillError`, or `CancellationError` where its task was cancelled; then what is done is in the journal.
    package func run() async throws -> BackfillSummary {
        let sizes = try await input.prepare(context)
        let done = context.journal.parts
        try await sink.check(done: Set(done.keys))
        context.progress.begin(sizes: sizes, done: Set(done.keys))
        let queue = PartQueue(sizes.indices.filter { done[$0] == nil })
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<min(context.jobs, max(1, sizes.count)) {
                group.addTask { while let part = queue.next() { try await work(on: part, size: sizes[part]) } }
            }
            try await group.waitForAll()
        }
        try Task.checkCancellation()
        try await sink.finish()
        await input.finish()
        var summary = summary()
        summary.wasDone = !sizes.isEmpty && sizes.indices.allSatisfy { done[$0] != nil }
        return summary
    }

    private func work(on part: Int, size: Int) async throws {
        try Task.checkCancellation()
        let output = try await sink.open(part: part)
        do {
            let analysis = PartAnalysis(options: context.job.options, output: output, progress: context.progress)
            try await input.read(part: part, into: analysis)
            try await analysis.flush(atLeast: 1)
            try await output.commit()
            try context.journal.finish(part: part, .init(samples: analysis.samples, lines: analysis.lines, conflicts: analysis.conflicts))
            context.progress.finishPart(size: size)
        } catch {
            await output.discard()
            throw error
        }
    }

    private func summary() -> BackfillSummary {
        var summary = BackfillSummary()
        for part in context.journal.parts.values {
            summary.parts += 1
            summary.samples += part.samples
            summary.lines += part.lines
            summary.conflicts += part.conflicts
        }
        summary.badRows = context.badRows.count
        return summary
    }
}

/// Numbers of parts, taken one by one.
private final class PartQueue: Sendable {
    private let rest: Mutex<ArraySlice<Int>>

    init(_ parts: [Int]) { rest = Mutex(parts[...]) }

    func next() -> Int? { rest.withLock { $0.popFirst() } }
}
