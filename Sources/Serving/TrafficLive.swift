import Records
import Synchronization
import TimeSeries

/// Rows by their keys, the winning version of each, bounded in bytes; over the bound the rows with the oldest times go.
struct TrafficTable<Row: TrafficRow>: Sendable {
    private(set) var rows: [Row.Key: Row] = [:]
    private(set) var bytes = 0
    private(set) var evicted = 0
    let maxBytes: Int

    init(maxBytes: Int) { self.maxBytes = maxBytes }

    /// Whether it was news. O(1), amortised.
    @discardableResult
    mutating func put(_ row: Row) -> Bool {
        let key = row.key
        if let known = rows[key] {
            if !row.replaces(known) { return false }
            bytes -= known.bytes
        }
        rows[key] = row
        bytes += row.bytes
        if bytes > maxBytes { evict() }
        return true
    }

    /// Frees an eighth, so that the sort pays for many rows.
    private mutating func evict() {
        for row in rows.values.sorted(by: { $0.time < $1.time }) {
            if bytes <= maxBytes / 8 * 7 { break }
            rows[row.key] = nil
            bytes -= row.bytes
            evicted += 1
        }
    }
}

/// The traffic as it travels on its topic, before and beside what the store has. Bounded.
final class TrafficLive: Sendable {
    private struct State {
        var totals: TrafficTable<TrafficTotal>
        var windows: TrafficTable<TrafficWindow>
        var visits: TrafficTable<PointVisit>
        var alerts: TrafficTable<TrafficAlert>
        /// The newest time of each length of window.
        var newest: [Milliseconds: Milliseconds] = [:]
    }

    private let state: Mutex<State>

    /// `maxBytes` for each of the kinds.
    init(maxBytes: Int) {
        state = Mutex(
            State(
                totals: .init(maxBytes: maxBytes), windows: .init(maxBytes: maxBytes), visits: .init(maxBytes: maxBytes),
                alerts: .init(maxBytes: maxBytes)))
    }

    /// What of it was news, and of windows only those that still overlap the newest of their length: what listeners are to hear.
    func apply(_ record: TrafficRecord) -> TrafficRecord {
        state.withLock { state in
            switch record {
            case .totals(let rows): return .totals(rows.filter { state.totals.put($0) })
            case .visits(let rows): return .visits(rows.filter { state.visits.put($0) })
            case .alerts(let rows): return .alerts(rows.filter { state.alerts.put($0) })
            case .windows(let rows):
                for row in rows { state.newest[row.window] = max(state.newest[row.window] ?? row.time, row.time) }
                let news = rows.filter { state.windows.put($0) }
                return .windows(news.filter { row in state.newest[row.window].map { row.time > $0 - row.window } ?? true })
            }
        }
    }

    func totals(where isWanted: (TrafficTotal) -> Bool) -> [TrafficTotal] {
        state.withLock { $0.totals.rows.values.filter(isWanted) }
    }

    func windows(where isWanted: (TrafficWindow) -> Bool) -> [TrafficWindow] {
        state.withLock { $0.windows.rows.values.filter(isWanted) }
    }

    /// Of each length the rows of its newest time.
    var latestWindows: [TrafficWindow] {
        state.withLock { state in state.windows.rows.values.filter { state.newest[$0.window] == $0.time } }
    }

    /// Those withdrawn too, so that they can take back what the store still has.
    func visits(where isWanted: (PointVisit) -> Bool) -> [PointVisit] { state.withLock { $0.visits.rows.values.filter(isWanted) } }

    func alerts(where isWanted: (TrafficAlert) -> Bool) -> [TrafficAlert] { state.withLock { $0.alerts.rows.values.filter(isWanted) } }

    var size: (rows: Int, bytes: Int, evicted: Int) {
        state.withLock {
            (
                $0.totals.rows.count + $0.windows.rows.count + $0.visits.rows.count + $0.alerts.rows.count,
                $0.totals.bytes + $0.windows.bytes + $0.visits.bytes + $0.alerts.bytes,
                $0.totals.evicted + $0.windows.evicted + $0.visits.evicted + $0.alerts.evicted
            )
        }
    }
}
