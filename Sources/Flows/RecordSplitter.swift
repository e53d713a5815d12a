/// Cuts a stream of bytes, which comes in pieces, into records: lines, or rows of CSV, whose quoted cells may hold line ends.
package struct RecordSplitter: Sendable {
    package enum Piece: Sendable, Equatable {
        /// Without its line end.
        case record([UInt8])
        /// A record beyond the limit; reading goes on behind its first line.
        case tooLong
    }

    private enum State {
        case cellStart, inCell, inQuotes, behindQuote, skipping
    }

    private static let newline = UInt8(ascii: "\n")
    private let separator: UInt8?
    private let limit: Int
    private var buffer: [UInt8] = []
    private var start = 0
    private var at = 0
    private var state = State.cellStart
    /// Bytes of the stream up to the end of the last piece: where a successor goes on.
    package private(set) var consumed: Int64

    /// `position` is that of the first byte to come.
    package init(_ format: FlowDefinition.Format, position: Int64 = 0, limit: Int = 1 << 20) {
        if case .csv(let separator, _) = format { self.separator = separator } else { separator = nil }
        self.limit = limit
        consumed = position
    }

    package mutating func append(_ bytes: some Collection<UInt8>) {
        if start > 0 {
            buffer.removeSubrange(..<start)
            at -= start
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next record that is there whole; with `isLast` also one that no line end follows. Empty lines are passed over.
    package mutating func next(isLast: Bool = false) -> Piece? {
        while at < buffer.count {
            let byte = buffer[at]
            at += 1
            if state == .skipping {
                if byte == RecordSplitter.newline { restart() }
            } else if isEnd(byte) {
                let record = cut(at - 1)
                restart()
                if !record.isEmpty { return .record(record) }
            } else if at - start > limit {
                return overlong()
            }
        }
        guard isLast, at > start else { return nil }
        let isSkipping = state == .skipping
        let record = cut(at)
        restart()
        return isSkipping || record.isEmpty ? nil : .record(record)
    }

    /// Whether this byte ends the record.
    private mutating func isEnd(_ byte: UInt8) -> Bool {
        guard let separator else { return byte == RecordSplitter.newline }
        let isQuote = byte == UInt8(ascii: "\"")
        if state == .inQuotes {
            if isQuote { state = .behindQuote }
            return false
        }
        if byte == RecordSplitter.newline { return true }
        if byte == separator {
            state = .cellStart
        } else if isQuote && state != .inCell {
            state = .inQuotes
        } else {
            state = .inCell
        }
        return false
    }

    private func cut(_ end: Int) -> [UInt8] {
        var end = end
        if end > start, buffer[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        return Array(buffer[start..<end])
    }

    /// A quote that is never closed must not swallow what follows: goes on behind the first line end.
    private mutating func overlong() -> Piece {
        if let end = buffer[start..<at].firstIndex(of: RecordSplitter.newline) {
            at = end + 1
            restart()
        } else {
            consumed += Int64(at - start)
            start = at
            state = .skipping
        }
        return .tooLong
    }

    private mutating func restart() {
        consumed += Int64(at - start)
        start = at
        state = .cellStart
    }
}
