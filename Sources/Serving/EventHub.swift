import HTTPKit
import Records
import Synchronization
import Telemetry
import TimeSeries

/// One result as an event's listeners get it.
struct EventItem: Sendable {
    enum Subject: Sendable {
        case series(SeriesKey)
        case traffic(route: String, vehicleType: String)
    }

    let subject: Subject
    /// A JSON object.
    let json: [UInt8]

    init(_ subject: Subject, json: [UInt8]) {
        self.subject = subject
        self.json = json
    }
}

/// Hands events to listeners. Each has a queue that is bounded in bytes; who falls behind is dropped, counted, and told with a
/// last event `lagged`.
final class EventHub: Sendable {
    private struct State {
        var listeners: [UInt64: EventListener] = [:]
        var nextID: UInt64 = 0
        var isClosed = false
    }

    /// A listener that was told to go and has not taken it within this time is cut off.
    private static let patience: Milliseconds = 5000

    private let state = Mutex(State())
    private let maxListeners: Int
    private let bufferBytes: Int
    private let lagged: Counter
    private let refused: Counter
    private let clock: any WallClock

    init(maxListeners: Int, bufferBytes: Int, registry: MetricRegistry, clock: any WallClock) {
        self.maxListeners = maxListeners
        self.bufferBytes = bufferBytes
        self.clock = clock
        lagged = registry.counter("almanac_serve_events_lagged_total", help: "Event listeners dropped because they read too slowly.")
        refused = registry.counter("almanac_serve_events_refused_total", help: "Event listeners refused because there were too many.")
        let gauge = registry.gauge("almanac_serve_event_listeners", help: "Listeners on /api/v1/events.")
        registry.onCollect { [weak self] in gauge.set(Double(self?.count ?? 0)) }
    }

    var count: Int { state.withLock { $0.listeners.count } }
    var hasListeners: Bool { count > 0 }

    /// A new listener. `abort` cuts its connection. Throws a 503 problem when there are too many.
    func listen(_ query: EventQuery?, abort: @escaping @Sendable () -> Void) throws(Problem) -> EventListener {
        let listener: EventListener? = state.withLock { state in
            guard !state.isClosed, state.listeners.count < maxListeners else { return nil }
            state.nextID += 1
            let listener = EventListener(id: state.nextID, query: query, maxBytes: bufferBytes, abort: abort)
            state.listeners[state.nextID] = listener
            return listener
        }
        if let listener { return listener }
        refused.add()
        throw Problem.unavailable("\(maxListeners) listeners are connected already, or the server is shutting down", retryAfterSeconds: 30)
    }

    func leave(_ listener: EventListener) {
        listener.end(with: nil, now: clock.now())
        state.withLock { $0.listeners[listener.id] = nil }
    }

    /// One event with these results for every listener that wants any of them.
    func publish(_ event: String, _ items: [EventItem]) {
        let listeners = state.withLock { Array($0.listeners.values) }
        var whole: [UInt8]?
        for listener in listeners {
            let bytes: [UInt8]
            if let query = listener.query {
                let wanted = items.filter { query.wants(event, $0.subject) }
                if wanted.isEmpty { continue }
                bytes = EventHub.frame(event, wanted)
            } else {
                bytes = whole ?? EventHub.frame(event, items)
                whole = bytes
            }
            send(bytes, to: listener)
        }
    }

    private func send(_ bytes: [UInt8], to listener: EventListener) {
        if listener.push(bytes) { return }
        if listener.end(with: "event: lagged\ndata: {\"reason\":\"read too slowly\"}\n\n", now: clock.now()) { lagged.add() }
    }

    /// A comment that keeps proxies and clients from giving the connection up.
    func heartbeat() {
        for listener in state.withLock({ Array($0.listeners.values) }) { send(Array(": heartbeat\n\n".utf8), to: listener) }
    }

    /// Cuts off listeners that were told to go and do not read. Call every second or so.
    func reap() {
        let now = clock.now()
        for listener in state.withLock({ Array($0.listeners.values) }) { listener.abortIfOverdue(now: now, patience: EventHub.patience) }
    }

    /// Ends all streams and takes no more.
    func close() {
        let listeners = state.withLock { state in
            state.isClosed = true
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.end(with: nil, now: clock.now()) }
    }

    /// https://html.spec.whatwg.org/multipage/server-sent-events.html
    static func frame(_ event: String, _ items: [EventItem]) -> [UInt8] {
        var bytes = Array("event: \(event)\ndata: {\"results\":[".utf8)
        bytes.reserveCapacity(bytes.count + items.reduce(8) { $0 + $1.json.count + 1 })
        for (i, item) in items.enumerated() {
            if i > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(contentsOf: item.json)
        }
        bytes.append(contentsOf: Array("]}\n\n".utf8))
        return bytes
    }
}

/// One connected client: a bounded queue and a bell.
final class EventListener: Sendable {
    private struct State {
        var queue: [UInt8] = []
        var endedAt: Milliseconds?
        var isAborted = false
    }

    let id: UInt64
    let query: EventQuery?
    /// Rings when there is something to take; ends with the stream.
    let bell: AsyncStream<Void>
    private let ringer: AsyncStream<Void>.Continuation
    private let maxBytes: Int
    private let abort: @Sendable () -> Void
    private let state = Mutex(State())

    init(id: UInt64, query: EventQuery?, maxBytes: Int, abort: @escaping @Sendable () -> Void) {
        self.id = id
        self.query = query
        self.maxBytes = maxBytes
        self.abort = abort
        // One waiting ring is enough: whoever hears it takes all there is.
        (bell, ringer) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// false if the queue would grow past its bound. An ended listener takes and drops everything.
    func push(_ bytes: [UInt8]) -> Bool {
        let hasRoom = state.withLock { state in
            if state.endedAt != nil { return true }
            guard state.queue.count + bytes.count <= maxBytes else { return false }
            state.queue.append(contentsOf: bytes)
            return true
        }
        if hasRoom { ringer.yield() }
        return hasRoom
    }

    /// All that is queued.
    func take() -> [UInt8] {
        state.withLock { state in
            let bytes = state.queue
            state.queue = []
            return bytes
        }
    }

    /// Ends the stream; `last` replaces what is queued. false if it had ended before.
    @discardableResult
    func end(with last: String?, now: Milliseconds) -> Bool {
        let isFirst = state.withLock { state in
            guard state.endedAt == nil else { return false }
            state.endedAt = now
            if let last { state.queue = Array(last.utf8) }
            return true
        }
        ringer.yield()
        ringer.finish()
        return isFirst
    }

    func abortIfOverdue(now: Milliseconds, patience: Milliseconds) {
        let isDue = state.withLock { state in
            guard let endedAt = state.endedAt, now - endedAt > patience, !state.isAborted else { return false }
            state.isAborted = true
            return true
        }
        if isDue { abort() }
    }
}
