import HTTPKit
import HTTPTypes
import Records
import Synchronization
import Telemetry
import Testing
import TimeSeries

@testable import Serving

@Suite("Events: the hub")
struct EventHubTests {
    let registry = MetricRegistry()
    let clock = TestClock(noon)
    let a = key("a")
    let b = key("b")

    private func hub(listeners: Int = 4, bytes: Int = 1 << 16) -> EventHub {
        EventHub(maxListeners: listeners, bufferBytes: bytes, registry: registry, clock: clock)
    }

    private func query(_ text: String) throws -> SeriesQuery { try SeriesQuery(try QueryParameters(text)) }

    private var items: [EventItem] {
        [EventItem(key: a, json: Array(#"{"n":1}"#.utf8)), EventItem(key: b, json: Array(#"{"n":2}"#.utf8))]
    }

    @Test func everyoneGetsWhatTheyAskedFor() throws {
        let hub = hub()
        let all = try hub.listen(nil, abort: {})
        let some = try hub.listen(try query("metric=b"), abort: {})
        let none = try hub.listen(try query("metric=c"), abort: {})
        hub.publish("windows", items)
        #expect(String(decoding: all.take(), as: UTF8.self) == "event: windows\ndata: {\"results\":[{\"n\":1},{\"n\":2}]}\n\n")
        #expect(String(decoding: some.take(), as: UTF8.self) == "event: windows\ndata: {\"results\":[{\"n\":2}]}\n\n")
        #expect(none.take().isEmpty)
        hub.heartbeat()
        #expect(String(decoding: none.take(), as: UTF8.self) == ": heartbeat\n\n")
    }

    @Test func theSlowAreDroppedCountedAndCutOff() async throws {
        let hub = hub(bytes: 200)
        let aborted = Mutex(0)
        let slow = try hub.listen(nil, abort: { aborted.withLock { $0 += 1 } })
        let quick = try hub.listen(nil, abort: {})
        for _ in 0..<20 {
            hub.publish("windows", items)
            _ = quick.take()
        }
        let rest = String(decoding: slow.take(), as: UTF8.self)
        #expect(rest.hasPrefix("event: lagged\n"))
        #expect(slow.take().isEmpty)
        for await _ in slow.bell {}
        #expect(registry.render().contains("almanac_serve_events_lagged_total 1"))
        hub.reap()
        #expect(aborted.withLock { $0 } == 0)
        clock.advance(6000)
        hub.reap()
        hub.reap()
        #expect(aborted.withLock { $0 } == 1)
        hub.leave(slow)
        #expect(hub.count == 1)
    }

    @Test func thereIsRoomForSoMany() throws {
        let hub = hub(listeners: 2)
        let first = try hub.listen(nil, abort: {})
        _ = try hub.listen(nil, abort: {})
        let problem = #expect(throws: Problem.self) { _ = try hub.listen(nil, abort: {}) }
        #expect(problem?.status == .serviceUnavailable)
        hub.leave(first)
        _ = try hub.listen(nil, abort: {})
    }

    @Test func closingEndsAll() async throws {
        let hub = hub()
        let listener = try hub.listen(nil, abort: {})
        hub.close()
        for await _ in listener.bell {}
        #expect(throws: Problem.self) { _ = try hub.listen(nil, abort: {}) }
    }
}
