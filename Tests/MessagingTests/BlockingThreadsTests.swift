import Dispatch
import Testing

@testable import Messaging

@Suite struct BlockingThreadsTests {
    /// Submits a job when nobody holds it any more, as a log does that is dropped.
    private final class Farewell: Sendable {
        private let threads: BlockingThreads
        init(_ threads: BlockingThreads) { self.threads = threads }
        deinit { threads.submit {} }
    }

    /// A job that is the last to hold something leaves the queue usable, wherever in the queue it stood.
    @Test(.timeLimit(.minutes(1)), arguments: 1...6) func whatAJobHoldsMaySubmitAtItsEnd(waiting: Int) async throws {
        let threads = try BlockingThreads(name: "test")
        let gate = DispatchSemaphore(value: 0)
        threads.submit { gate.wait() }
        for _ in 0..<waiting {
            let farewell = Farewell(threads)
            threads.submit { withExtendedLifetime(farewell) {} }
        }
        gate.signal()
        #expect(try await threads.run { 7 } == 7)
        threads.stop()
        let error = await #expect(throws: MessagingError.self) { try await threads.run {} }
        #expect(error?.code == .closed)
    }
}
