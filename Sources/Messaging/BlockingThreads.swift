import Glibc

/// Threads of their own for calls that block, so that these never occupy one of Swift's few cooperative threads.
/// With `count` 1 jobs run one after the other in the order of submission.
package final class BlockingThreads: Sendable {
    private let jobs = JobQueue()

    package init(name: String, count: Int = 1) throws {
        for _ in 0..<count {
            let context = Unmanaged.passRetained(jobs)
            var thread = pthread_t()
            let result = pthread_create(&thread, nil, { BlockingThreads.main($0) }, context.toOpaque())
            guard result == 0 else {
                context.release()
                jobs.stop()
                throw MessagingError(.unavailable, "cannot start the thread \(name): \(String(cString: strerror(result)))")
            }
            pthread_detach(thread)
        }
    }

    deinit { jobs.stop() }

    private static func main(_ raw: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let raw else { return nil }
        let jobs = Unmanaged<JobQueue>.fromOpaque(raw).takeRetainedValue()
        while let job = jobs.next() { job() }
        return nil
    }

    /// False once stopped.
    @discardableResult
    package func submit(_ job: @escaping @Sendable () -> Void) -> Bool { jobs.push(job) }

    /// Runs `body` on one of the threads and suspends until it is done; throws what it throws, or `.closed` once stopped.
    package func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<T, any Error>) in
            let isTaken = submit { continuation.resume(with: Result(catching: body)) }
            if !isTaken { continuation.resume(throwing: MessagingError(.closed, "the log is closed")) }
        }
    }

    /// The threads end after the jobs submitted so far.
    package func stop() { jobs.stop() }
}

/// A queue with a condition to wait on, which `Mutex` lacks. Unchecked: every access to the variables holds the lock.
private final class JobQueue: @unchecked Sendable {
    typealias Job = @Sendable () -> Void
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// Of those taken nil: what a job holds must not end under the lock, as its end may submit another.
    private var jobs: [Job?] = []
    private var head = 0
    private var stopped = false

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func push(_ job: @escaping Job) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        if stopped { return false }
        jobs.append(job)
        pthread_cond_signal(condition)
        return true
    }

    /// Blocks for the next job; nil when stopped and empty.
    func next() -> Job? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while head == jobs.count {
            if stopped { return nil }
            pthread_cond_wait(condition, mutex)
        }
        let job = jobs[head]
        jobs[head] = nil
        head += 1
        // What is done leaves in large steps, also where some job always waits.
        if 2 * head >= jobs.count {
            jobs.removeFirst(head)
            head = 0
        }
        return job
    }

    func stop() {
        pthread_mutex_lock(mutex)
        stopped = true
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }
}
