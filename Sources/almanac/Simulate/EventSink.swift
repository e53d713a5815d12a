import Glibc

/// Where lines of events go, in order.
protocol EventSink: Sendable {
    /// Returns when they are where they belong; throws if they never will be. `isEnding` turns true when it should give up waiting.
    func send(_ lines: [UInt8], isEnding: @escaping @Sendable () -> Bool) async throws
    func close() async
}

/// The reader has gone, or the user has: no error.
struct SinkEnded: Error {}

/// A file, made anew; `-` is standard output.
final class FileSink: EventSink {
    private let fd: Int32
    private let path: String

    init(_ path: String) throws {
        self.path = path
        fd = path == "-" ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard fd >= 0 else { throw Failure("\(path) cannot be written: \(String(cString: strerror(errno)))") }
        // A reader that goes shows as EPIPE.
        signal(SIGPIPE, SIG_IGN)
    }

    deinit { if fd != STDOUT_FILENO && fd >= 0 { _ = Glibc.close(fd) } }

    func write(_ bytes: [UInt8]) throws {
        var at = 0
        while at < bytes.count {
            let written = bytes.withUnsafeBytes { raw in
                raw.baseAddress.map { Glibc.write(fd, $0 + at, raw.count - at) } ?? 0
            }
            if written < 0 && errno == EINTR { continue }
            if written < 0 && errno == EPIPE { throw SinkEnded() }
            guard written > 0 else { throw Failure("\(path) cannot be written: \(String(cString: strerror(errno)))") }
            at += written
        }
    }

    func send(_ lines: [UInt8], isEnding: @escaping @Sendable () -> Bool) async throws { try write(lines) }

    func close() async {}
}
