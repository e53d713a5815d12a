import CassandraClient

/// What was acknowledged so lately that a node that is killed may have forgotten it.
///
/// By default a node acknowledges a write before its commit log is on the disk (`commitlog_sync: periodic`): what was written in the last tenth
/// of a second before a SIGKILL, or ten before a power cut, is not in the log that it replays. Where no other replica has it, it is gone.
/// Writes are idempotent here, so what is recent is written again once a node was lost.
struct RecentWrites: Sendable {
    struct Entry: Sendable {
        var batches: [Batch]
        /// Seconds since 1970, from which the rows' lives count.
        var now: Int32
        var bytes: Int
        /// Of a monotonic clock, milliseconds.
        var acknowledged: Int64

        var rows: Int { batches.reduce(0) { $0 + $1.count } }
    }

    /// Milliseconds for which writes are kept; twice the period after which nodes sync.
    static let span: Int64 = 20_000
    /// Of values. Beyond it the oldest are let go.
    static let byteLimit = 64 << 20

    private var recent: [Entry] = []
    private var first = 0
    private var bytes = 0
    /// To be written again, in the order of their acknowledgement.
    private var due: [Entry] = []
    /// The last epochs that were given out.
    private(set) var epochs: [String: Int64] = [:]
    private var dueEpochs: Set<String> = []
    /// How often a node was lost.
    private(set) var losses = 0

    mutating func add(_ batches: [Batch], now: Int32, at time: Int64) {
        let size = batches.reduce(0) { $0 + $1.bytes }
        recent.append(Entry(batches: batches, now: now, bytes: size, acknowledged: time))
        bytes += size
        while first < recent.count, bytes > RecentWrites.byteLimit || recent[first].acknowledged < time - RecentWrites.span {
            bytes -= recent[first].bytes
            recent[first].batches = []
            first += 1
        }
        if first > 64, first * 2 > recent.count {
            recent.removeFirst(first)
            first = 0
        }
    }

    mutating func add(epoch: Int64, of name: String) { epochs[name] = max(epoch, epochs[name] ?? 0) }

    /// A node is gone: all that is recent is due.
    mutating func lose() {
        losses += 1
        due += recent[first...]
        // A node that comes and goes while the others take everything but these.
        var dueBytes = due.reduce(0) { $0 + $1.bytes }
        while dueBytes > 2 * RecentWrites.byteLimit { dueBytes -= due.removeFirst().bytes }
        dueEpochs.formUnion(epochs.keys)
        recent = []
        (first, bytes) = (0, 0)
    }

    var dueRows: Int { due.reduce(0) { $0 + $1.rows } }
    var isSettled: Bool { due.isEmpty && dueEpochs.isEmpty }
    var dueEpoch: (name: String, epoch: Int64)? { dueEpochs.min().map { ($0, epochs[$0] ?? 0) } }

    /// The newest that are due: they are the likeliest to be forgotten.
    func newest(_ count: Int) -> [Entry] { due.suffix(count) }

    /// So many of the newest were written again, begun after so many losses.
    mutating func settle(_ count: Int, _ losses: Int, at time: Int64) {
        // What was lost meanwhile may have been these.
        guard losses == self.losses, count <= due.count else { return }
        let settled = due.suffix(count)
        due.removeLast(count)
        // They are recent once more.
        for entry in settled { add(entry.batches, now: entry.now, at: time) }
    }

    mutating func settleEpoch(_ name: String, _ losses: Int) { if losses == self.losses { dueEpochs.remove(name) } }
}
