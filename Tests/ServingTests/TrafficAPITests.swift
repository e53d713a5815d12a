import HTTPTypes
import HummingbirdTesting
import Records
import Storage
import Telemetry
import Testing
import TimeSeries
import Traffic

@testable import Serving

@Suite("Traffic: the paths")
struct TrafficAPITests {
    private func bench(_ fill: (inout StoreBatch) -> Void) async throws -> Bench {
        let bench = try Bench()
        var batch = StoreBatch()
        fill(&batch)
        try await bench.store.write(batch)
        return bench
    }

    private func texts(_ rows: JSONValue?, _ members: String...) -> [String] {
        (rows?.arrayValue ?? []).map { row in members.map { row[$0]?.stringValue ?? row[$0]?.jsonText ?? "?" }.joined(separator: " ") }
    }

    @Test(arguments: [
        ("/api/v1/traffic/total", "rows"), ("/api/v1/traffic/window", "windows"), ("/api/v1/traffic/poi", "visits"),
        ("/api/v1/traffic/alerts", "alerts"),
    ])
    func nothingIsAnEmptyList(path: String, name: String) async throws {
        try await Bench().test { client in
            let answer = try await client.get(path)
            #expect(answer.status == .ok)
            #expect(answer.json == .object([(key: name, value: .array([])), (key: "truncated", value: false)]))
        }
    }

    @Test(arguments: [
        ("total", "day", "2026-02-30"), ("total", "day", "yesterday"), ("total", "limit", "0"), ("window", "window", "30"),
        ("window", "window", "0s"), ("window", "window", "9223372036854775807d"), ("window", "from", "x"), ("poi", "inside", "yes"),
        ("poi", "limit", "-1"), ("poi", "to", "x"), ("alerts", "from", "May"), ("alerts", "colour", "red"), ("total", "vehicle", "x"),
    ])
    func badParametersAreNamed(path: String, name: String, value: String) async throws {
        try await Bench().test { client in
            let answer = try await client.get("/api/v1/traffic/\(path)", [(name, value)])
            #expect(answer.status == .badRequest && answer.headers[.contentType] == "application/problem+json")
            #expect(answer.json["detail"]?.stringValue?.contains("'\(name)'") == true)
        }
    }

    @Test func totalsOfTheNewestDayAndSinceTheStart() async throws {
        let bench = try await bench {
            $0.trafficTotals = [
                total("A", vehicles: 40), total("A", day: "2026-03-01"), total("A", day: "2026-02-28"),
                total("A", "Bus", day: "2026-03-01"),
                total("B", vehicles: 7), total("B", day: "2026-02-28"), total("old", day: "2026-01-01"),
            ]
        }
        try await bench.test { client in
            let rows = try await client.get("/api/v1/traffic/total").json["rows"]
            #expect(
                texts(rows, "route", "vehicleType", "day") == [
                    "A Car null", "B Car null", "A Bus 2026-03-01", "A Car 2026-03-01", "B Car 2026-02-28",
                ])
            #expect(rows?.arrayValue?.first?["vehicles"] == 40 && rows?.arrayValue?.first?["arrivals"] == 1)
            let one = try await client.get("/api/v1/traffic/total", [("day", "2026-02-28"), ("route", "A")]).json["rows"]
            #expect(texts(one, "route", "day") == ["A 2026-02-28"])
            let today = try await client.get("/api/v1/traffic/total", [("day", "today"), ("type", "Bus")]).json["rows"]
            #expect(texts(today, "route", "vehicleType") == ["A Bus"])
            let all = try await client.get("/api/v1/traffic/total", [("day", "all"), ("limit", "6")]).json
            #expect(all["rows"]?.arrayValue?.count == 6 && all["truncated"] == true)
            #expect(texts(all["rows"], "day").prefix(3) == ["null", "null", "2026-03-01"])
        }
    }

    /// At noon in London it is tomorrow on Kiritimati and still today in Honolulu.
    @Test func todayIsTheRoutesOwn() async throws {
        let bench = try Bench(now: noon) {
            $0.traffic.zone = "Europe/London"
            $0.traffic.routeZones = ["K": "Pacific/Kiritimati"]
        }
        bench.receive(.totals(["A", "K"].flatMap { route in ["2026-03-01", "2026-03-02"].map { total(route, day: $0) } }))
        try await bench.test { client in
            let rows = try await client.get("/api/v1/traffic/total", [("day", "today")]).json["rows"]
            #expect(texts(rows, "route", "day") == ["K 2026-03-02", "A 2026-03-01"])
        }
    }

    @Test func theHigherRevisionWinsWhereverItIs() async throws {
        let bench = try await bench {
            $0.trafficTotals = [total("A", vehicles: 1, revision: 5), total("B", vehicles: 1, revision: 5)]
        }
        bench.receive(.totals([total("A", vehicles: 2, revision: 4), total("B", vehicles: 2, revision: 6), total("C", vehicles: 2)]))
        bench.receive(.totals([total("B", vehicles: 3, revision: 2)]))
        try await bench.test { client in
            let rows = try await client.get("/api/v1/traffic/total").json["rows"]
            #expect(texts(rows, "route", "vehicles") == ["A 1", "B 2", "C 2"])
        }
    }

    @Test func whoHasLeftTheWindowIsGone() async throws {
        let bench = try await bench {
            $0.trafficWindows = [
                window("A", at: noon - 10_000), window("B", at: noon - 10_000), window("A", length: 300_000, at: noon - 10_000),
            ]
        }
        bench.receive(.windows([window("A", vehicles: 5), window("A", "", vehicles: 6), window("A", "Bus", speed: nil)]))
        try await bench.test { client in
            let windows = try #require(await client.get("/api/v1/traffic/window").json["windows"]?.arrayValue)
            #expect(windows.map { $0["window"]?.stringValue } == ["5m", "30s"])
            let newest = try #require(windows.last)
            #expect(newest["timeMs"]?.int64Value == noon && newest["time"] == "2026-03-01T12:00:00.000Z")
            #expect(texts(newest["rows"], "route", "vehicleType", "speedAvg") == ["A Bus null", "A Car 61.5"])
            #expect(texts(newest["routes"], "route", "vehicleType", "vehicles") == ["A  6"])
            let one = try await client.get("/api/v1/traffic/window", [("window", "300s"), ("route", "A")]).json["windows"]
            #expect(texts(one, "window") == ["5m"])
            let history = try await client.get(
                "/api/v1/traffic/window", [("window", "30s"), ("from", "\(noon - 60_000)"), ("route", "A")]
            ).json["windows"]
            #expect(texts(history, "timeMs") == ["\(noon - 10_000)", "\(noon)"])
        }
    }

    @Test func lateRevisionsOfAWindowReplaceIt() async throws {
        let bench = try Bench()
        bench.receive(.windows([window("A", vehicles: 1, revision: 1), window("A", vehicles: 9, revision: 3)]))
        bench.receive(.windows([window("A", vehicles: 4, revision: 2), window("B", at: noon - 10_000)]))
        try await bench.test { client in
            let windows = try await client.get("/api/v1/traffic/window").json["windows"]?.arrayValue
            #expect(texts(windows?.first?["rows"], "route", "vehicles") == ["A 9"])
        }
    }

    @Test func visits() async throws {
        let bench = try await bench {
            $0.visits = [
                visit("a", entered: noon - 300_000), visit("b", entered: noon - 200_000),
                visit("c", entered: noon - 100_000, seen: noon - 90_000, left: noon - 80_000), visit("d", at: "depot"),
            ]
        }
        bench.receive(.visits([visit("b", entered: noon - 200_000, left: noon, revision: 2), visit("a", entered: noon - 310_000)]))
        bench.receive(.visits([visit("a", entered: noon - 300_000, revision: 2, withdrawn: true)]))
        try await bench.test { client in
            func vehicles(_ query: (String, String)...) async throws -> [String] {
                texts(try await client.get("/api/v1/traffic/poi", query).json["visits"], "vehicle")
            }
            #expect(try await vehicles() == ["a", "b", "c", "d"])
            #expect(try await vehicles(("inside", "true")) == ["a", "d"])
            #expect(try await vehicles(("inside", "false")) == ["b", "c"])
            #expect(try await vehicles(("inside", "false"), ("limit", "1")) == ["c"])
            #expect(try await vehicles(("point", "depot")) == ["d"])
            #expect(try await vehicles(("vehicle", "B")) == ["b"])
            #expect(try await vehicles(("to", "\(noon - 150_000)")) == ["a", "b"])
            #expect(try await vehicles(("from", "\(noon - 80_000)"), ("to", "\(noon - 70_000)")) == ["a", "b"])
            let one = try #require(await client.get("/api/v1/traffic/poi", [("vehicle", "c")]).json["visits"]?.arrayValue?.first)
            #expect(one["distance"] == 2.53 && one["dwellMs"] == 10_000 && one["inside"] == false)
            #expect(one["leftMs"]?.int64Value == noon - 80_000 && one["enteredMs"]?.int64Value == noon - 100_000)
            let limited = try await client.get("/api/v1/traffic/poi", [("limit", "2")]).json
            #expect(limited["truncated"] == true && texts(limited["visits"], "vehicle") == ["c", "d"])
        }
    }

    /// More who are inside than the page has must not hide those who left before.
    @Test func manyInsideDoNotHideThoseWhoLeft() async throws {
        let bench = try await bench {
            $0.visits = [visit("z", entered: noon - 900_000, left: noon - 800_000)] + (0..<300).map { visit("v\($0)") }
        }
        try await bench.test { client in
            let visits = try await client.get("/api/v1/traffic/poi", [("inside", "false"), ("limit", "2")]).json["visits"]
            #expect(texts(visits, "vehicle") == ["z"])
        }
    }

    @Test func alerts() async throws {
        let bench = try await bench { $0.alerts = [alert("a", onset: noon - 300_000), alert("b", rule: "empty")] }
        bench.receive(.alerts([alert("a", onset: noon - 300_000, at: noon + 1, end: noon), alert("c", onset: noon)]))
        try await bench.test { client in
            let all = try await client.get("/api/v1/traffic/alerts").json["alerts"]
            #expect(texts(all, "subject", "endMs") == ["a \(noon)", "b null", "c null"])
            #expect(all?.arrayValue?.first?["message"]?.stringValue?.hasPrefix("speed 131") == true)
            let rule = try await client.get("/api/v1/traffic/alerts", [("rule", "empty"), ("subject", "B")]).json["alerts"]
            #expect(texts(rule, "subject") == ["b"])
            let past = try await client.get("/api/v1/traffic/alerts", [("to", "\(noon - 200_000)")]).json["alerts"]
            #expect(texts(past, "subject") == ["a"])
        }
    }

    @Test func aStoreThatFailsIsA503() async throws {
        let bench = try Bench()
        bench.store.fail(StorageError(.unavailable, "gone"))
        try await bench.test { client in
            for path in ["total", "window", "poi", "alerts"] {
                let answer = try await client.get("/api/v1/traffic/\(path)")
                #expect(answer.status == .serviceUnavailable)
            }
        }
    }

    @Test func memoryIsBoundedAndTheOldestGo() {
        let live = TrafficLive(maxBytes: 100_000)
        for i in 0..<2000 { _ = live.apply(.windows([window("A", at: noon + Milliseconds(i) * 10_000)])) }
        #expect(live.size.bytes <= 100_000 && live.size.evicted > 0 && live.size.rows + live.size.evicted == 2000)
        #expect(live.latestWindows.map(\.time) == [noon + 19_990_000])
    }

    @Test func brokenRecordsArePassedOverAndCounted() throws {
        let bench = try Bench()
        bench.role.receive(traffic: [
            record("trafficdata", Array("{".utf8)), record("trafficdata", Array(#"{"schema":1,"kind":"x"}"#.utf8)),
        ])
        #expect(bench.registry.render().contains("almanac_serve_undecodable_records_total 2"))
    }

    @Test func lengthsOfTime() {
        for (text, length) in [("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("2d", 172_800_000), ("250ms", 250)] {
            #expect(Milliseconds(durationText: text) == Milliseconds(length))
        }
        for text in ["", "s", "-1s", "1.5s", "1 s", "0m", "10", "1w", "99999999999999999999s", "٣s"] {
            #expect(Milliseconds(durationText: text) == nil, "\(text)")
        }
    }
}
