import Glibc
import Synchronization

/// What statvfs(3) says about a filesystem, in bytes and file nodes.
struct FilesystemUsage: Equatable, Sendable {
    var size: UInt64
    var free: UInt64
    var available: UInt64
    var files: UInt64
    var filesFree: UInt64

    /// Asks the kernel. Blocks for as long as a network filesystem's server does not answer. Nil on any error.
    static func ask(_ path: [UInt8]) -> FilesystemUsage? {
        var answer = statvfs()
        let status = (path + [0]).withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { $0.baseAddress.map { statvfs($0, &answer) } ?? -1 }
        }
        guard status == 0 else { return nil }
        let block = UInt64(answer.f_frsize)
        func bytes(_ blocks: fsblkcnt_t) -> UInt64 { UInt64(blocks).multipliedReportingOverflow(by: block).partialValue }
        return FilesystemUsage(
            size: bytes(answer.f_blocks), free: bytes(answer.f_bfree), available: bytes(answer.f_bavail), files: UInt64(answer.f_files),
            filesFree: UInt64(answer.f_ffree))
    }
}

/// Asks filesystems for their usage without ever waiting longer than a time limit for all of them together.
/// A filesystem that may hang (network, FUSE, unknown types) is asked on a thread of its own. A thread that did not come back is left
/// alone, and its filesystem is not asked again until it did: at most one thread for each mount is ever stuck.
final class FilesystemProbe: Sendable {
    typealias Ask = @Sendable ([UInt8]) -> FilesystemUsage?

    private let timeLimit: UInt64
    private let ask: Ask
    private let underWay = Mutex<[[UInt8]: Question]>([:])

    /// - Parameter timeLimit: in seconds.
    init(timeLimit: Double = 1, ask: @escaping Ask = FilesystemUsage.ask) {
        self.timeLimit = UInt64(timeLimit * 1e9)
        self.ask = ask
    }

    /// The usage of each mount in order; nil where it failed or did not answer in time.
    /// - Parameter rootfs: put before each path.
    func usage(of mounts: [Mount], rootfs: String) -> [FilesystemUsage?] {
        let prefix = rootfs == "/" ? [] : Array(rootfs.utf8)
        let questions = mounts.map { mayHang($0.fileSystem) ? question(prefix + $0.path) : nil }
        return zip(mounts, questions).map { mount, question in question.map { $0.wait() } ?? ask(prefix + mount.path) }
    }

    /// Filesystems whose statvfs reads memory only.
    private func mayHang(_ fileSystem: String) -> Bool { !localFileSystems.contains(fileSystem) }

    /// The question about `path` that is under way, or a new one.
    private func question(_ path: [UInt8]) -> Question {
        underWay.withLock { underWay in
            if let question = underWay[path] { return question }
            let question = Question(deadline: monotonicNanoseconds() + timeLimit)
            underWay[path] = question
            let started = startThread { [self] in
                let usage = ask(path)
                self.underWay.withLock { _ = $0.removeValue(forKey: path) }
                question.answer(usage)
            }
            if !started {
                underWay[path] = nil
                question.answer(nil)
            }
            return question
        }
    }
}

private let localFileSystems: Set<String> = [
    "bcachefs", "btrfs", "efivarfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "hfs", "hfsplus", "jfs", "minix", "nilfs2", "ntfs3", "ramfs",
    "reiserfs", "tmpfs", "udf", "ufs", "vfat", "xfs", "zfs",
]

/// A question to one filesystem, with its answer when there is one. Several threads may wait for it.
/// `@unchecked`: `usage` and `isAnswered` are touched only while the lock is held.
private final class Question: @unchecked Sendable {
    private let deadline: UInt64
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var usage: FilesystemUsage?
    private var isAnswered = false

    /// - Parameter deadline: on the monotonic clock, in nanoseconds.
    init(deadline: UInt64) {
        self.deadline = deadline
        lock.initialize(to: pthread_mutex_t())
        pthread_mutex_init(lock, nil)
        changed.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(changed, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(lock)
        changed.deallocate()
        lock.deallocate()
    }

    func answer(_ usage: FilesystemUsage?) {
        pthread_mutex_lock(lock)
        self.usage = usage
        isAnswered = true
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(lock)
    }

    /// The answer, or nil if there is none by the deadline. A question from an earlier page has its deadline behind it and costs nothing.
    func wait() -> FilesystemUsage? {
        var until = timespec(tv_sec: time_t(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while !isAnswered {
            if pthread_cond_timedwait(changed, lock, &until) != 0 { break }
        }
        return usage
    }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// Starts a detached thread with a small stack; false if the system has none left.
private func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    var attributes = pthread_attr_t()
    guard pthread_attr_init(&attributes) == 0 else { return false }
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, 256 << 10)
    let argument = Unmanaged.passRetained(ThreadBody(body))
    var thread = pthread_t()
    let status = pthread_create(
        &thread, &attributes,
        { argument in
            if let argument { Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run() }
            return nil
        }, argument.toOpaque())
    if status != 0 { argument.release() }
    return status == 0
}

func monotonicNanoseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}

extension PageWriter {
    /// A filesystem that could not be asked has only `device_error` 1 and `readonly`.
    mutating func writeFilesystems(_ mounts: [Mount], _ usage: [FilesystemUsage?]) {
        guard !mounts.isEmpty else { return }
        let labels = mounts.map { LabelText(("device", $0.device), ("fstype", $0.fileSystem), ("mountpoint", $0.mountPoint)) }
        func write(_ name: String, _ help: String, _ page: inout PageWriter, _ value: (Int) -> UInt64?) {
            guard mounts.indices.contains(where: { value($0) != nil }) else { return }
            page.family(name, .gauge, help)
            for index in mounts.indices {
                if let value = value(index) { page.sample(name, labels[index], .integer(value)) }
            }
        }
        write("node_filesystem_size_bytes", "The size of the filesystem.", &self) { usage[$0]?.size }
        write("node_filesystem_free_bytes", "Free bytes of the filesystem.", &self) { usage[$0]?.free }
        write("node_filesystem_avail_bytes", "Free bytes that an ordinary user may fill.", &self) { usage[$0]?.available }
        write("node_filesystem_files", "File nodes of the filesystem.", &self) { usage[$0]?.files }
        write("node_filesystem_files_free", "Free file nodes of the filesystem.", &self) { usage[$0]?.filesFree }
        write("node_filesystem_readonly", "1 if the filesystem is mounted read-only.", &self) { mounts[$0].isReadOnly ? 1 : 0 }
        write("node_filesystem_device_error", "1 if the filesystem could not be asked.", &self) { usage[$0] == nil ? 1 : 0 }
    }
}
