import TimeSeries

/// Summaries of time slots, oldest first, shared by windows of several lengths. A slot with end E holds the samples of (E - length, E].
struct SlotColumn {
    private(set) var ends: [Milliseconds] = []
    private(set) var moments: [Moments] = []
    /// Slots dropped so far: slot numbers count from the first ever.
    private(set) var dropped = 0

    var count: Int { dropped + ends.count }

    func end(_ slot: Int) -> Milliseconds { ends[slot - dropped] }
    func summary(_ slot: Int) -> Moments { moments[slot - dropped] }

    mutating func append(end: Milliseconds, _ summary: Moments) {
        ends.append(end)
        moments.append(summary)
    }

    /// Slots below `slot` are needed no more. Amortised O(1).
    mutating func drop(below slot: Int) {
        let gone = slot - dropped
        guard gone >= 64, gone * 2 >= ends.count else { return }
        ends.removeFirst(gone)
        moments.removeFirst(gone)
        dropped = slot
    }
}

/// The summary of the slots in a sliding window, by two stacks: the older part keeps the summaries of all its suffixes, the newer part one running
/// summary; when the older part is used up, the newer becomes the older. Each slot is merged at most twice and nothing is ever subtracted,
/// so the answer is as exact as `Moments.merge`. Amortised O(1) a slot. (The queue of two stacks is folklore; Tangwongsan et al., 2015,
/// "General incremental sliding-window aggregation", call it Two-Stacks.)
struct SlidingMoments {
    let window: Milliseconds
    /// First slot in the window.
    private(set) var low = 0
    /// First slot of the newer part, and the first that is not in the window yet.
    private var middle = 0
    private var high = 0
    private var suffixes: [Moments] = []
    private var suffixBase = 0
    private var newer = Moments()

    init(window: Milliseconds) { self.window = window }

    /// The summary of (t - window, t]; t never goes back. All slots given end at or before t.
    mutating func summary(at t: Milliseconds, of slots: borrowing SlotColumn) -> Moments {
        while high < slots.count {
            newer.merge(slots.summary(high))
            high += 1
        }
        let left = t - window
        while low < high, slots.end(low) <= left {
            low += 1
            if low > middle { turn(slots) }
        }
        if low >= middle { return newer }
        var sum = suffixes[low - suffixBase]
        sum.merge(newer)
        return sum
    }

    /// The newer part becomes the older one.
    private mutating func turn(_ slots: borrowing SlotColumn) {
        suffixes.removeAll(keepingCapacity: true)
        suffixes.append(contentsOf: repeatElement(Moments(), count: high - low))
        var sum = Moments()
        for slot in stride(from: high - 1, through: low, by: -1) {
            var with = slots.summary(slot)
            with.merge(sum)
            sum = with
            suffixes[slot - low] = sum
        }
        suffixBase = low
        middle = high
        newer = Moments()
    }
}
