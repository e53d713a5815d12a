import Glibc
import Synchronization
import TimeSeries
import Traffic

/// Sends lines of a file in their order, each not before its time.
struct EventReplay: ~Copyable {
    private var lines: LineReader
    private let sink: EventPoster
    private let batch: Int
    private let speed: Double?
    private var decoder: EventDecoder
    private let begin = ContinuousClock.now
    /// Time of the first event that has one.
    private var first: Milliseconds?
    private var newest: Milliseconds?
    private var sent = 0
    private var told = ContinuousClock.now

    private static let maximumBytes = 1 << 20
    private static let pause = Duration.milliseconds(100)

    /// - Parameter speed: of the events' own time; nil: as fast as they are taken.
    init(lines: consuming LineReader, sink: EventPoster, batch: Int, speed: Double?, zone: String) {
        self.lines = lines
        self.sink = sink
        self.batch = batch
        self.speed = speed
        decoder = EventDecoder(zone: zone)
    }

    /// Runs to the end of the file, or until SIGINT or SIGTERM; then it says how far it came.
    mutating func runUntilSignal() async throws {
        let ending = SharedFlag()
        let signals = Signals()
        signals.listen(onEnd: { ending.set() }, onReload: {})
        let isEnding: @Sendable () -> Bool = { ending.isSet }
        do {
            try await run(isEnding)
            await sink.close()
        } catch {
            await sink.close()
            Output.line("\(sent) lines were taken before this; a replay of all of it counts them once")
            throw error
        }
        summarize(isEnded: ending.isSet)
    }

    private mutating func run(_ isEnding: @escaping @Sendable () -> Bool) async throws {
        var bytes: [UInt8] = []
        var count = 0
        do {
            while !isEnding(), let line = try lines.next() {
                if let wait = wait(for: line) {
                    try await send(&bytes, &count, isEnding)
                    try await sleep(wait, isEnding)
                }
                bytes.append(contentsOf: line)
                bytes.append(UInt8(ascii: "\n"))
                count += 1
                if count >= batch || bytes.count >= EventReplay.maximumBytes { try await send(&bytes, &count, isEnding) }
            }
            if !isEnding() { try await send(&bytes, &count, isEnding) }
        } catch is SinkEnded {}
    }

    private mutating func send(_ bytes: inout [UInt8], _ count: inout Int, _ isEnding: @escaping @Sendable () -> Bool) async throws {
        if count == 0 { return }
        try await sink.send(bytes, isEnding: isEnding)
        sent += count
        count = 0
        bytes.removeAll(keepingCapacity: true)
        if ContinuousClock.now - told >= .seconds(1) {
            told = .now
            Output.line((newest.map { SimulationRun.clock($0) + "  " } ?? "") + "\(sent) lines")
        }
    }

    /// How long it is until the event of a line is due; nil where it is already, or the line has no time.
    private mutating func wait(for line: ArraySlice<UInt8>) -> Duration? {
        guard let speed else { return nil }
        guard let time = line.withUnsafeBytes({ try? decoder.decode($0) })?.time else { return nil }
        newest = max(newest ?? time, time)
        let start = first ?? time
        first = start
        let due = begin + .milliseconds(Int64(min(1e15, Double(time - start) / speed)))
        let left = due - ContinuousClock.now
        return left > EventReplay.pause ? left : nil
    }

    /// In pieces, so that a signal ends it soon.
    private func sleep(_ duration: Duration, _ isEnding: () -> Bool) async throws {
        let end = ContinuousClock.now + duration
        while ContinuousClock.now < end, !isEnding() { try? await Task.sleep(for: min(EventReplay.pause, end - ContinuousClock.now)) }
        if isEnding() { throw SinkEnded() }
    }

    private func summarize(isEnded: Bool) {
        let seconds = max(0.001, (ContinuousClock.now - begin) / .seconds(1))
        let refused = sink.rejected.withLock { $0 }
        Output.line(
            "\(sent) lines in \(Double(Int(seconds * 10)) / 10) s (\(Int(Double(sent) / seconds))/s)"
                + (refused > 0 ? ", \(refused) of them refused: they are dead letters with their reasons" : "")
                + (isEnded ? ", ended before the end of the file" : ""))
    }
}

/// Lines of a file or of standard input, in blocks; blank lines are passed over.
struct LineReader: ~Copyable {
    private let fd: Int32
    private let path: String
    private var buffer: [UInt8] = []
    private var at = 0
    private var isAtEnd = false
    private var number = 0

    /// Longer lines are a mistake: no event is nearly as long.
    static let maximumLine = 1 << 20
    private static let block = 256 << 10

    /// - Parameter path: `-` is standard input.
    init(_ path: String) throws {
        self.path = path
        fd = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw Failure("\(path) cannot be read: \(String(cString: strerror(errno)))") }
    }

    deinit { if fd != STDIN_FILENO { close(fd) } }

    /// The next line without its end; nil at the end of the file.
    mutating func next() throws -> ArraySlice<UInt8>? {
        while true {
            if let end = buffer[at...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { at = end + 1 }
                number += 1
                if let line = LineReader.trimmed(buffer[at..<end]) { return line }
                continue
            }
            if isAtEnd {
                defer { at = buffer.count }
                number += 1
                return LineReader.trimmed(buffer[at...])
            }
            guard buffer.count - at <= LineReader.maximumLine else {
                throw Failure("\(path):\(number + 1): the line is longer than \(LineReader.maximumLine) bytes; give one event a line")
            }
            try fill()
        }
    }

    private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
        return line.allSatisfy { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") } ? nil : line
    }

    private mutating func fill() throws {
        buffer.removeFirst(at)
        at = 0
        let known = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: LineReader.block))
        let got = buffer.withUnsafeMutableBytes { raw in
            var got = -1
            repeat { got = raw.baseAddress.map { read(fd, $0 + known, LineReader.block) } ?? 0 } while got < 0 && errno == EINTR
            return got
        }
        buffer.removeLast(LineReader.block - max(0, got))
        guard got >= 0 else { throw Failure("\(path) cannot be read: \(String(cString: strerror(errno)))") }
        isAtEnd = got == 0
    }
}
