import Coordination
import Flows
import Logging
import Messaging
import Synchronization
import TimeSeries

/// Reads a file from its beginning, or from where it was left, and follows it if asked to. Of several processes the flow's owner reads.
final class FlowFileWorker: FlowWorker {
    private static let pause: Milliseconds = 500
    private static let batchSamples = 8_192
    private let path: String
    private let follows: Bool
    private let context: FlowContext
    private let state: Mutex<FlowStatus>
    private let complaints = Mutex(0)

    init(_ context: FlowContext, path: String, follows: Bool) {
        self.context = context
        self.path = path
        self.follows = follows
        state = Mutex(FlowStatus(name: context.definition.name, problem: "starting"))
    }

    var status: FlowStatus { state.withLock { $0 } }

    private var name: String { context.definition.name }
    private var owns: Bool { context.coordinator.owns("flow:\(name)") }
    private var bookmarkPath: String? { context.stateDirectory.map { "\($0)/flow-\(name).position" } }

    func run() async {
        var backoff = Backoff(first: 500, limit: 10_000)
        while !Task.isCancelled {
            do {
                try await context.joins.waitUntilReady()
                if !owns {
                    state.withLock { $0.problem = nil }
                    try await context.environment.sleep(FlowFileWorker.pause)
                    continue
                }
                if try await read({ backoff.reset() }) == .finished {
                    state.withLock { $0.isFinished = true }
                    context.environment.logger.notice("flow \(name): \(path) is read to its end")
                    return
                }
            } catch is CancellationError {
                return
            } catch {
                let text = "\(error)"
                let before = state.withLock { state in
                    defer { state.problem = text }
                    return state.problem
                }
                if text != before { context.environment.logger.warning("flow \(name): \(text)") }
                do { try await context.environment.sleep(backoff.next()) } catch { return }
            }
        }
    }

    private enum End {
        case finished, replaced, lost
    }

    /// A file at work.
    private struct Reading {
        var file: FollowedFile
        var splitter: RecordSplitter
        var line: FlowLine
        var saved: Int64
        var savedAt: Milliseconds
    }

    /// Reads one file to its end: of the file, or of its time at the path.
    private func read(_ succeeded: () -> Void) async throws -> End {
        let file = try FollowedFile(path)
        var line = try context.line()
        let start = try resume(file, &line)
        var reading = Reading(
            file: file, splitter: RecordSplitter(context.definition.format, position: start), line: line, saved: start, savedAt: 0)
        succeeded()
        state.withLock { $0.problem = nil }
        while true {
            try Task.checkCancellation()
            // The new owner reads the same.
            if !owns { return .lost }
            // Asked before the reading: what is appended just before the file is replaced is read.
            let isReplaced = follows && file.isReplaced
            let bytes = try file.read()
            if !bytes.isEmpty {
                reading.splitter.append(bytes)
                try await map(&reading, isLast: false)
                continue
            }
            try await map(&reading, isLast: !follows || isReplaced)
            try await flush(&reading)
            remember(&reading, isNow: true)
            if !follows { return .finished }
            if isReplaced {
                // A file that was cut is the same file with nothing read of it.
                if let path = bookmarkPath { try FileBookmark(identity: file.identity, position: 0).save(path) }
                return .replaced
            }
            try await context.environment.sleep(FlowFileWorker.pause)
        }
    }

    /// Where to go on: behind what an earlier run has made durable, if this is the same file and as long. The header is read in any case.
    private func resume(_ file: FollowedFile, _ line: inout FlowLine) throws -> Int64 {
        guard let path = bookmarkPath, let bookmark = FileBookmark.load(path), bookmark.identity == file.identity,
            bookmark.position <= file.size
        else { return 0 }
        if line.mapper.needsHeader {
            var splitter = RecordSplitter(context.definition.format)
            splitter.append(try file.read())
            guard case .record(let header)? = splitter.next(), splitter.consumed <= bookmark.position else {
                file.seek(to: 0)
                return 0
            }
            try line.mapper.takeHeader(header)
        }
        file.seek(to: bookmark.position)
        return bookmark.position
    }

    private func map(_ reading: inout Reading, isLast: Bool) async throws {
        while let piece = reading.splitter.next(isLast: isLast) {
            let now = context.environment.clock.now()
            switch piece {
            case .tooLong:
                reading.line.countRejected()
                complain("a record is longer than 1 MiB", reading)
            case .record(let bytes) where reading.line.mapper.needsHeader:
                try reading.line.mapper.takeHeader(bytes)
            case .record(let bytes):
                if let reason = reading.line.take(record: bytes, now: now) { complain(reason, reading) }
            }
            if reading.line.pending >= FlowFileWorker.batchSamples { try await flush(&reading) }
        }
    }

    private func flush(_ reading: inout Reading) async throws {
        try await context.send(reading.line.records(now: context.environment.clock.now()))
        remember(&reading, isNow: false)
    }

    private func remember(_ reading: inout Reading, isNow: Bool) {
        let position = reading.splitter.consumed
        let now = context.environment.clock.now()
        guard let path = bookmarkPath, position != reading.saved, isNow || now - reading.savedAt >= 1_000 else { return }
        do {
            try FileBookmark(identity: reading.file.identity, position: position).save(path)
        } catch {
            context.environment.logger.warning("flow \(name): \(error)")
        }
        reading.saved = position
        reading.savedAt = now
    }

    /// The first few are told; all are counted.
    private func complain(_ reason: String, _ reading: Reading) {
        let number = complaints.withLock { count in
            count += 1
            return count
        }
        if number > 10 { return }
        let last = number == 10 ? "; more are only counted" : ""
        context.environment.logger.warning("flow \(name): \(path), before byte \(reading.splitter.consumed): \(reason)\(last)")
    }
}
