import TimeSeries

/// How much time one piece of history covers: halved when it was too much, grown again after several that went well.
struct PieceSize {
    static let smallest: Milliseconds = 60_000
    static let largest: Milliseconds = 6 * 3_600_000
    private(set) var length: Milliseconds = 3_600_000
    /// What was too much is not tried again at once.
    private var ceiling = PieceSize.largest
    private var successes = 0

    var isSmallest: Bool { length <= PieceSize.smallest }

    mutating func halve() {
        ceiling = max(PieceSize.smallest, length / 2)
        length = ceiling
        successes = 0
    }

    mutating func succeeded() {
        successes += 1
        if successes >= 8 {
            // The ceiling too: the load that made it may be gone.
            ceiling = min(ceiling * 2, PieceSize.largest)
            successes = 0
        }
        length = min(length * 2, ceiling)
    }
}
