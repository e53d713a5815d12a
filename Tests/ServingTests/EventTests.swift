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

    private func query(_ text: String) throws -> EventQuery { try EventQuery(try QueryParameters(text)) }

    private var items: [EventItem] {
        [EventItem(.series(a), json: Array(#"{"n":1}"#.utf8)), EventItem(.series(b), json: Array(#"{"n":2}"#.utf8))]
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

    /// Who names series hears nothing of the traffic, and the other way round.
    @Test func seriesAndTrafficAreAskedForApart() throws {
        let series = EventItem.Subject.series(a)
        let car = EventItem.Subject.traffic(route: "A", vehicleType: "Car")
        for (text, wantsSeries, wantsCar) in [
            ("metric=a", true, false), ("metric=b", false, false), ("route=A", false, true), ("route=B", false, false),
            ("route=B&route=A", false, true), ("route=A&type=Bus", false, false), ("type=Car", false, true),
            ("metric=a&route=A", true, true),
            ("event=traffic_window", false, true), ("event=windows", true, false), ("event=windows,traffic_window", true, true),
            ("event=poi&event=alert", false, false), ("event=windows&route=A", false, false),
        ] {
            let query = try query(text)
            #expect(!query.isAll)
            #expect(query.wants("windows", series) == wantsSeries, "\(text)")
            #expect(query.wants("traffic_window", car) == wantsCar, "\(text)")
        }
        #expect(try query("").isAll)
        #expect(throws: Problem.self) { try query("event=window") }
        #expect(throws: Problem.self) { try query("event=") }
        #expect(throws: Problem.self) { try query((0..<65).map { "route=\($0)" }.joined(separator: "&")) }
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

@Suite("Events: the traffic")
struct TrafficEventTests {
    @Test func onlyNewsOfTheNewestRows() throws {
        let bench = try Bench()
        let listener = try bench.role.hub.listen(nil, abort: {})
        func heard() -> String { String(decoding: listener.take(), as: UTF8.self) }
        bench.receive(.windows([window("A"), window("A", at: noon - 10_000), window("A", at: noon - 30_000)]))
        let windows = heard()
        #expect(
            windows.hasPrefix("event: traffic_window\n") && windows.contains("\"timeMs\":\(noon),")
                && windows.contains("\"window\":\"30s\""))
        #expect(windows.contains("\"timeMs\":\(noon - 10_000),"), "it overlaps the newest")
        #expect(!windows.contains("\"timeMs\":\(noon - 30_000),"))
        bench.receive(.windows([window("A"), window("A", at: noon - 10_000)]))
        #expect(heard().isEmpty, "the same again is no news")
        bench.receive(.totals([total("A")]))
        #expect(heard().hasPrefix("event: traffic_total\ndata: {\"results\":[{\"route\":\"A\""))
        bench.receive(.visits([visit("v"), visit("w", withdrawn: true)]))
        let visits = heard()
        #expect(visits.hasPrefix("event: poi\n") && visits.contains("\"withdrawn\":false}") && visits.contains("\"withdrawn\":true}"))
        bench.receive(.alerts([alert("v")]))
        #expect(heard().hasPrefix("event: alert\n"))
    }

    @Test func soManyRowsAtOnce() {
        let rows = (0..<2000).map { alert("v\($0)", at: noon + Milliseconds($0)) }.shuffled()
        let (name, items) = TrafficEvents.event(.alerts(rows))
        #expect(name == "alert" && items.count == TrafficEvents.maximumRows)
        let texts = items.map { String(decoding: $0.json, as: UTF8.self) }
        #expect(texts.allSatisfy { !$0.contains("\"v1499\"") } && texts.contains { $0.contains("\"v1500\"") })
    }
}

/// Set once, by whichever task.
final class Flag: Sendable {
    private let flag = Mutex(false)
    var value: Bool { flag.withLock { $0 } }
    func set() { flag.withLock { $0 = true } }
}
