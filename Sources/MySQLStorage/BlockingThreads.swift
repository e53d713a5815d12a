import Glibc
import Storage

/// Threads of their own for calls that block, so that these never occupy one of Swift's few cooperative threads. The number of
/// jobs that wait is bounded.
final class BlockingThreads: Sendable {
    private let jobs: JobQueue

    init(name: String, count: Int, maximumWaiting: Int) throws(StorageError) {
        jobs = JobQueue(maximumWaiting: max(1, maximumWaiting))
        for _ in 0..<max(1, count) {
            let context = Unmanaged.passRetained(jobs)
            var thread = pthread_t()
            jobs.threadStarts()
            let result = pthread_create(&thread, nil, { BlockingThreads.main($0) }, context.toOpaque())
            guard result == 0 else {
                context.release()
                jobs.threadEnds()
                jobs.stop()
                throw StorageError(.unavailable, "cannot start the thread \(name): \(String(cString: strerror(result)))")
            }
            pthread_detach(thread)
        }
    }

    deinit { jobs.stop() }

    private static func main(_ raw: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let raw else { return nil }
        let jobs = Unmanaged<JobQueue>.fromOpaque(raw).takeRetainedValue()
        while let job = jobs.next() { job() }
        jobs.threadEnds()
        return nil
    }

    /// Runs `body` on one of the threads and suspends until it is done.
    func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<T, any Error>) in
            let refusal = jobs.push { continuation.resume(with: Result { try body() }) }
            if let refusal { continuation.resume(throwing: refusal) }
        }
    }

    /// Takes no more jobs; returns when those submitted so far are done and the threads have ended.
    func stop() async {
        await withCheckedContinuation { continuation in jobs.stop { continuation.resume() } }
    }
}

/// A queue with a condition to wait on, which `Mutex` lacks. Unchecked: every access to the variables holds the lock.
private final class JobQueue: @unchecked Sendable {
    typealias Job = @Sendable () -> Void
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let maximumWaiting: Int
    /// Of those taken nil: what a job holds must not end under the lock, as its end may stop the threads.
    private var jobs: [Job?] = []
    private var head = 0
    private var isStopped = false
    private var threads = 0
    private var whenEnded: [Job] = []

    init(maximumWaiting: Int) {
        self.maximumWaiting = maximumWaiting
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    private func locked<T>(_ body: () -> T) -> T {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Why the job is not taken, or nil.
    func push(_ job: @escaping Job) -> StorageError? {
        locked {
            if isStopped { return StorageError(.unavailable, "the store is closed") }
            if jobs.count - head >= maximumWaiting {
                return StorageError(.unavailable, "\(maximumWaiting) calls already wait for the database; try again later")
            }
            jobs.append(job)
            pthread_cond_signal(condition)
            return nil
        }
    }

    /// Blocks for the next job; nil when stopped and empty.
    func next() -> Job? {
        locked {
            while head == jobs.count {
                if isStopped { return nil }
                pthread_cond_wait(condition, mutex)
            }
            let job = jobs[head]
            jobs[head] = nil
            head += 1
            if head == jobs.count || head > 1000 {
                jobs.removeFirst(head)
                head = 0
            }
            return job
        }
    }

    func threadStarts() { locked { threads += 1 } }

    func threadEnds() {
        let waiting: [Job] = locked {
            threads -= 1
            if threads > 0 { return [] }
            defer { whenEnded = [] }
            return whenEnded
        }
        for job in waiting { job() }
    }

    func stop(_ ended: Job? = nil) {
        let isOver: Bool = locked {
            isStopped = true
            pthread_cond_broadcast(condition)
            if threads > 0, let ended { whenEnded.append(ended) }
            return threads == 0
        }
        if isOver { ended?() }
    }
}
