import TimeSeries

/// For one series, the input offset of the first sample of each open chunk: from where a new owner must replay once the chunks before
/// are sealed. Usually one or two chunks are open; past three the older offsets stand for the newer ones, which is safe.
struct OpenOffsets: Sendable {
    private struct Entry {
        var start: Milliseconds = .max
        var offset: Int64 = .max
    }

    private var first = Entry()
    private var second = Entry()
    private var third = Entry()

    /// Notes a sample of the chunk that begins at `start`. O(1).
    mutating func note(start: Milliseconds, offset: Int64) {
        if start == third.start {
            third.offset = min(third.offset, offset)
        } else if start == second.start {
            second.offset = min(second.offset, offset)
        } else if start == first.start {
            first.offset = min(first.offset, offset)
        } else if first.start == .max {
            first = Entry(start: start, offset: offset)
        } else if second.start == .max {
            second = Entry(start: start, offset: offset)
        } else if third.start == .max {
            third = Entry(start: start, offset: offset)
        } else {
            // The newest start takes the third place, with the least offset of both.
            third = Entry(start: max(third.start, start), offset: min(third.offset, offset))
        }
    }

    /// Forgets the chunks that begin before `start`.
    mutating func drop(before start: Milliseconds) {
        let kept = [first, second, third].filter { $0.start != .max && $0.start >= start }
        first = kept.count > 0 ? kept[0] : Entry()
        second = kept.count > 1 ? kept[1] : Entry()
        third = kept.count > 2 ? kept[2] : Entry()
    }

    /// Chunks that begin after `start` count as one that begins there: the clock was ahead, and what they held has gone. Some of their offsets may
    /// stand for an older chunk.
    mutating func clamp(to start: Milliseconds) {
        if first.start != .max { first.start = min(first.start, start) }
        if second.start != .max { second.start = min(second.start, start) }
        if third.start != .max { third.start = min(third.start, start) }
    }

    /// The least offset still needed; nil if nothing is open.
    var least: Int64? {
        let offset = min(first.offset, min(second.offset, third.offset))
        return offset == .max ? nil : offset
    }
}
