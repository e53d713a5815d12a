import HTTPKit
import HTTPTypes
import HummingbirdTesting
import Records
import Storage
import Telemetry
import Testing
import TimeSeries

@testable import Serving

@Suite("/api/v1/series")
struct SeriesAPITests {
    let load = key("node_load1", [("host", "a/b")])
    let bytes = key("node_bytes_total", type: .counter)

    private func bench() async throws -> Bench {
        let bench = try Bench()
        var batch = StoreBatch()
        batch.windows = [windows(load, at: noon - 30_000, avg: 1), windows(load, at: noon - 15_000, avg: 2), windows(bytes)]
        batch.profiles = [profile(load)]
        batch.forecasts = [forecast(load, at: noon - 60_000), forecast(load)]
        try await bench.store.write(batch)
        return bench
    }

    @Test func listWithEverything() async throws {
        let bench = try await bench()
        for i in 0..<20 { bench.receive([(load, Double(i)), (bytes, Double(i * 150))], at: noon - Milliseconds(20 - i) * 15_000) }
        try await bench.test { client in
            let json = try await client.get("/api/v1/series", [("include", "windows,forecast,profile,sparkline")]).json
            let list = try #require(json["series"]?.arrayValue)
            #expect(list.count == 2)
            #expect(json["next"] == .null)
            let entry = try #require(list.first { $0["name"] == "node_load1" })
            #expect(entry["id"]?.stringValue == load.id.description)
            #expect(entry["labels"] == .object([(key: "host", value: "a/b")]))
            #expect(entry["type"] == "gauge")
            #expect(entry["windows"]?["windows"]?.arrayValue?.first?["avg"] == 2)
            #expect(entry["forecast"]?["avg"]?["intervals"]?["80"] == [1, 3])
            #expect(entry["forecast"]?["path"] == nil)
            #expect(entry["profile"]?["verdict"] == "stationary")
            #expect(entry["last"]?["value"] == 19)
            #expect(entry["sparkline"]?["values"]?.arrayValue?.count == 60)
            let counter = try #require(list.first { $0["name"] == "node_bytes_total" })
            #expect(counter["last"]?["value"] == 10)
            #expect(counter["forecast"] == .null && counter["profile"] == .null)
            let drawn = counter["sparkline"]?["values"]?.arrayValue?.compactMap(\.doubleValue) ?? []
            #expect(drawn.allSatisfy { $0 == 10 } && !drawn.isEmpty)
        }
    }

    @Test func oneByIDAndByNotation() async throws {
        try await bench().test { client in
            for name in [load.id.description, load.id.description.uppercased(), PercentCoding.encode(load.labels.description)] {
                let response = try await client.get("/api/v1/series/\(name)")
                #expect(response.status == .ok, "\(name): \(response.text)")
                #expect(response.json["series"]?.stringValue == load.labels.description)
                #expect(response.json["windows"] == nil)
            }
            let unknown = try await client.get("/api/v1/series/\(key("unknown").id)")
            #expect(unknown.status == .notFound)
            #expect(unknown.json["detail"]?.stringValue?.hasSuffix("; /api/v1/series?metric=... finds it by name") == true)
            let broken = try await client.get("/api/v1/series/a%7Bb")
            #expect(broken.status == .badRequest)
        }
    }

    @Test func windowsLatestAndHistory() async throws {
        try await bench().test { client in
            let path = "/api/v1/series/\(load.id)/windows"
            let latest = try await client.get(path).json
            #expect(latest["results"]?.arrayValue?.map { $0["timeMs"]?.int64Value } == [noon - 15_000])
            let all = try await client.get(path, [("from", "\(noon - 60_000)")]).json
            #expect(all["results"]?.arrayValue?.map { $0["timeMs"]?.int64Value } == [noon - 30_000, noon - 15_000])
            let newest = try await client.get(path, [("from", "2026-03-01T11:00:00Z"), ("limit", "1")]).json
            #expect(newest["results"]?.arrayValue?.map { $0["timeMs"]?.int64Value } == [noon - 15_000])
            let early = try await client.get(path, [("to", "\(Double(noon - 20_000) / 1000)")]).json
            #expect(early["results"]?.arrayValue?.map { $0["timeMs"]?.int64Value } == [noon - 30_000])
        }
    }

    @Test func forecastWithPathAndHistoryWithout() async throws {
        try await bench().test { client in
            let path = "/api/v1/series/\(load.id)/forecast"
            let result = try #require(try await client.get(path).json["results"]?.arrayValue?.first)
            #expect(result["timeMs"]?.int64Value == noon)
            #expect(result["path"]?.arrayValue?.count == 10)
            #expect(result["path"]?.arrayValue?.first?["timeMs"]?.int64Value == noon + 60_000)
            #expect(result["horizon"] == "10m")
            let history = try await client.get(path, [("from", "0")]).json["results"]?.arrayValue ?? []
            #expect(history.count == 2)
            #expect(history.allSatisfy { $0["path"] == nil })
            let none = try await client.get("/api/v1/series/\(bytes.id)/forecast").json
            #expect(none["results"] == [])
        }
    }

    @Test func newestProfile() async throws {
        try await bench().test { client in
            let result = try await client.get("/api/v1/series/\(load.id)/profile").json["results"]?.arrayValue?.first
            #expect(result?["profile"]?["autocorrelation"]?["significantLags"] == [1, 2])
        }
    }

    /// Stored incidents, and the newest as it is live before the store has it.
    @Test func incidents() async throws {
        let bench = try await bench()
        var stored = StoreBatch()
        stored.anomalies = [
            anomaly(load, onset: noon - 7_200_000, at: noon - 7_000_000, end: noon - 7_100_000),
            anomaly(load, onset: noon - 600_000, at: noon - 590_000),
        ]
        try await bench.store.write(stored)
        try await bench.test { client in
            func found(_ query: [(String, String)] = []) async throws -> [JSONValue] {
                try await client.get("/api/v1/series/\(load.id)/anomalies", query).json["results"]?.arrayValue ?? []
            }
            let first = try await found()
            #expect(first.map { $0["onsetMs"]?.int64Value } == [noon - 7_200_000, noon - 600_000])
            #expect(first.first?["endMs"]?.int64Value == noon - 7_100_000)
            #expect(first.last?["end"] == .null && first.last?["cause"] == "level up" && first.last?["seen"] == 9)
            bench.receive(.anomalies([anomaly(load, onset: noon - 600_000, at: noon, end: noon - 500_000)]))
            #expect(try await found().map { $0["endMs"]?.int64Value } == [noon - 7_100_000, noon - 500_000])
            bench.receive(.anomalies([anomaly(load, onset: noon + 5, at: noon + 5)]))
            #expect(try await found().count == 3)
            #expect(try await found([("limit", "1")]).map { $0["onsetMs"]?.int64Value } == [noon + 5])
            #expect(
                try await found([("from", "\(noon - 550_000)"), ("to", "\(noon)")]).map { $0["onsetMs"]?.int64Value }.first == noon
                    - 600_000)
            let none = try await client.get("/api/v1/series/\(bytes.id)/anomalies").json
            #expect(none["results"] == [])
        }
    }

    @Test(arguments: [
        ("/windows", "from", "yesterday"), ("/windows", "limit", "0"), ("/history", "as", "sum"), ("/history", "from", "\(noon + 1)"),
        ("/profile", "from", "0"), ("", "include", "all"), ("/history", "limit", "100001"), ("/forecast", "to", ""),
    ])
    func badParameters(path: String, name: String, value: String) async throws {
        try await bench().test { client in
            let response = try await client.get("/api/v1/series/\(load.id)\(path)", [(name, value)])
            #expect(response.status == .badRequest)
            #expect(response.json["detail"]?.stringValue?.contains("'\(name)'") == true, "\(response.text)")
        }
    }

    @Test func historyJoinsChunksAndWhatIsNotSealed() async throws {
        let bench = try await bench()
        let start = noon - 3_000_000
        let times = (0..<200).map { start + Milliseconds($0) * 15_000 }
        var batch = StoreBatch()
        batch.chunks = [
            chunk(load, times: Array(times[0..<100]), values: (0..<100).map(Double.init)),
            // Overlaps the first, as after a change of owner.
            chunk(load, times: Array(times[90..<150]), values: (90..<150).map(Double.init)),
        ]
        try await bench.store.write(batch)
        for i in 120..<200 { bench.receive([(load, Double(i))], at: times[i]) }
        try await bench.test { client in
            let path = "/api/v1/series/\(load.id)/history"
            let json = try await client.get(path, [("from", "\(start - 1)")]).json
            let samples = json["samples"]?.arrayValue ?? []
            #expect(samples.map { $0.arrayValue?.first?.int64Value } == times)
            #expect(samples.map { $0.arrayValue?.last?.doubleValue } == (0..<200).map(Double.init))
            #expect(json["truncated"] == false)
            let few = try await client.get(path, [("from", "\(start - 1)"), ("limit", "60")]).json
            #expect(few["samples"]?.arrayValue?.map { $0.arrayValue?.first?.int64Value } == Array(times.suffix(60)))
            #expect(few["truncated"] == true)
            let part = try await client.get(path, [("from", "\(times[10])"), ("to", "\(times[20])")]).json
            #expect(part["samples"]?.arrayValue?.count == 10)
        }
    }

    @Test func historyWithoutFiniteValuesHasNull() async throws {
        let bench = try await bench()
        bench.receive([(load, .infinity)], at: noon - 2000)
        bench.receive([(load, StaleMarker.value)], at: noon - 1000)
        try await bench.test { client in
            let json = try await client.get("/api/v1/series/\(load.id)/history").json
            #expect(json["samples"] == [[.int(noon - 2000), nil]])
        }
    }

    @Test func historyAsRate() async throws {
        let bench = try await bench()
        for i in 0..<4 { bench.receive([(bytes, Double([100, 250, 400, 30][i]))], at: noon - 60_000 + Milliseconds(i) * 15_000) }
        try await bench.test { client in
            let json = try await client.get("/api/v1/series/\(bytes.id)/history", [("as", "rate")]).json
            #expect(json["samples"]?.arrayValue?.map { $0.arrayValue?.last?.doubleValue } == [10, 10, 2])
        }
    }

    @Test func liveWinsOverTheStoreAndSeriesAppearBeforeItKnowsThem() async throws {
        let bench = try await bench()
        bench.receive(.windows([windows(load, at: noon, avg: 42), windows(key("fresh"))]))
        try await bench.test { client in
            let latest = try await client.get("/api/v1/series/\(load.id)/windows").json
            #expect(latest["results"]?.arrayValue?.first?["windows"]?.arrayValue?.first?["avg"] == 42)
            let fresh = try await client.get("/api/v1/series/\(key("fresh").id)")
            #expect(fresh.status == .ok)
            // A newer row of the store counts while the topics are not followed.
            var batch = StoreBatch()
            batch.windows = [windows(load, at: noon + 15_000, avg: 43)]
            try await bench.store.write(batch)
            let newer = try await client.get("/api/v1/series/\(load.id)/windows").json
            #expect(newer["results"]?.arrayValue?.first?["windows"]?.arrayValue?.first?["avg"] == 43)
        }
    }

    @Test func aFailingStoreIsA503WithoutInternals() async throws {
        let bench = try await bench()
        bench.store.fail(StorageError(.unavailable, "database is locked: /secret/path"))
        try await bench.test { client in
            let response = try await client.get("/api/v1/series")
            #expect(response.status == .serviceUnavailable)
            #expect(response.headers[.retryAfter] != nil)
            #expect(!response.text.contains("secret"))
        }
        bench.store.fail(StorageError(.corrupt, "malformed: /secret/path"))
        try await bench.test { client in
            let response = try await client.get("/all_metrics")
            #expect(response.status == .internalServerError)
            #expect(!response.text.contains("secret"))
        }
    }

    @Test func aDamagedChunkIsA500WithoutInternals() async throws {
        let bench = try await bench()
        var damaged = chunk(load, times: [noon - 10], values: [1])
        damaged.data[damaged.data.count / 2] ^= 0xFF
        var batch = StoreBatch()
        batch.chunks = [damaged]
        try await bench.store.write(batch)
        try await bench.test { client in
            let response = try await client.get("/api/v1/series/\(load.id)/history")
            #expect(response.status == .internalServerError)
            #expect(!response.text.contains("checksum"))
        }
    }

    @Test func undecodableRecordsAreCountedAndPassedOver() async throws {
        let bench = try await bench()
        bench.role.receive(results: [record("prometheusdata", Array("{\"schema\":9}".utf8)), record("prometheusdata", [0xFF])])
        bench.role.receive(samples: [record("samples", [1, 2, 3])])
        #expect(bench.registry.render().contains("almanac_serve_undecodable_records_total 3"))
    }
}
