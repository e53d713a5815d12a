import Glibc
import Synchronization

/// A text file that is appended to line by line. Before it would grow beyond `maximumBytes` it becomes `.1`, the old `.1` becomes `.2` and
/// so on; `backups` of them are kept. A line is one short write(2) to the page cache. What cannot be written is counted and dropped:
/// a log must not stop what it tells about.
final class RotatingFile: Sendable {
    private struct State {
        var fd: Int32 = -1
        var size: Int64 = 0
    }

    let path: String
    private let maximumBytes: Int64
    private let backups: Int
    private let onFailure: @Sendable (_ reason: String) -> Void
    private let state = Mutex(State())

    init(
        path: String, maximumBytes: Int64 = 10 << 20, backups: Int = 5, onFailure: @escaping @Sendable (_ reason: String) -> Void = { _ in }
    ) {
        self.path = path
        self.maximumBytes = maximumBytes
        self.backups = backups
        self.onFailure = onFailure
    }

    deinit {
        state.withLock { if $0.fd >= 0 { close($0.fd) } }
    }

    /// Appends the line and a line end.
    func write(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        let failure = state.withLock { state in append(bytes, &state) }
        if let failure { onFailure(failure) }
    }

    private func append(_ bytes: [UInt8], _ state: inout State) -> String? {
        if state.fd >= 0 && isGone(state.fd) { closeFile(&state) }
        if state.fd < 0, let failure = openFile(&state) { return failure }
        if state.size > 0 && state.size + Int64(bytes.count) > maximumBytes, let failure = rotate(&state) { return failure }
        let written = Glibc.write(state.fd, bytes, bytes.count)
        if written == bytes.count {
            state.size += Int64(written)
            return nil
        }
        let reason = written < 0 ? RotatingFile.reason("cannot write", path) : "cannot write \(path): no room for a whole line"
        // Half a line would spoil the next one.
        if written > 0 { ftruncate(state.fd, off_t(state.size)) }
        return reason
    }

    /// Whether someone has removed or moved the file.
    private func isGone(_ fd: Int32) -> Bool {
        var open = stat()
        var named = stat()
        return fstat(fd, &open) != 0 || stat(path, &named) != 0 || open.st_ino != named.st_ino || open.st_dev != named.st_dev
    }

    private func openFile(_ state: inout State) -> String? {
        let fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard fd >= 0 else { return RotatingFile.reason("cannot open", path) }
        var status = stat()
        state.fd = fd
        state.size = fstat(fd, &status) == 0 ? Int64(status.st_size) : 0
        return nil
    }

    private func closeFile(_ state: inout State) {
        if state.fd >= 0 { close(state.fd) }
        state.fd = -1
        state.size = 0
    }

    private func rotate(_ state: inout State) -> String? {
        closeFile(&state)
        for i in stride(from: backups - 1, through: 1, by: -1) { rename("\(path).\(i)", "\(path).\(i + 1)") }
        if backups > 0 ? rename(path, path + ".1") != 0 : unlink(path) != 0 {
            let failure = RotatingFile.reason("cannot rotate", path)
            // Go on in the old file rather than not at all.
            return openFile(&state) ?? failure
        }
        return openFile(&state)
    }

    private static func reason(_ what: String, _ path: String) -> String { "\(what) \(path): \(String(cString: strerror(errno)))" }
}
