import HTTPKit
import HTTPTypes
import HummingbirdTesting
import Records
import Storage
import Testing
import TimeSeries

@testable import Serving

@Suite("The original five paths")
struct OriginalPathTests {
    let cpu = key("node_cpu", [("cpu", "0"), ("mode", "a\"b")], type: .counter)
    let load = key("node_load1")
    let short = key("young")

    private func bench() async throws -> Bench {
        let bench = try Bench()
        var batch = StoreBatch()
        batch.windows = [windows(cpu), windows(load, avg: 7)]
        batch.profiles = [profile(cpu), profile(load, verdict: nil)]
        batch.forecasts = [forecast(cpu), forecast(load), unforecast(short)]
        try await bench.store.write(batch)
        return bench
    }

    @Test func allMetrics() async throws {
        try await bench().test { client in
            let json = try await client.get("/all_metrics").json
            let members = try #require(json.objectValue)
            #expect(members.map(\.key) == ["0", "1", "2"])
            #expect(Set(members.compactMap(\.value.stringValue)) == [#"node_cpu{cpu="0",mode="a\"b"}"#, "node_load1", "young"])
        }
    }

    @Test func metadata() async throws {
        try await bench().test { client in
            let json = try await client.get("/autocorrelation_stationarity_seasonality_metadata").json
            let entry = try #require(json[cpu.labels.description])
            #expect(entry["verdict"]?.stringValue == "stationary")
            #expect(entry["autocorrelation"]?["values"]?.arrayValue?.count == 3)
            #expect(entry["stationarity"] != nil && entry["seasonality"] != nil)
            #expect(entry["time"]?.stringValue == "2026-03-01T12:00:00.000Z")
            #expect(entry["timeMs"]?.int64Value == noon)
            let keys = (entry.objectValue ?? []).map(\.key)
            #expect(Set(keys).count == keys.count, "a member twice: \(keys)")
        }
    }

    @Test func maxMinAvgStd() async throws {
        try await bench().test { client in
            let json = try await client.get("/max_min_avg_std_metric").json
            #expect(json.objectValue?.count == 6)
            let entry = try #require(json["node_load1,3h"])
            #expect(entry["max"] == 8.5 && entry["min"] == 6 && entry["avg"] == 7 && entry["std"] == 0.25)
            #expect(entry["p95"] == 8 && entry["count"] == 240)
        }
    }

    @Test func predictions() async throws {
        try await bench().test { client in
            let json = try await client.get("/prediction_of_metric_values").json
            let entry = try #require(json["node_load1"])
            #expect(entry["max"] == 3 && entry["min"] == 1 && entry["avg"] == 2)
            #expect(entry["intervals"]?["avg"]?["80"] == [1, 3])
            #expect(entry["intervals"]?["avg"]?["95"] == [0, 4])
            #expect(entry["reason"] == .null)
            let none = try #require(json["young"])
            #expect(none["max"] == .null && none["intervals"]?["max"] == .null)
            #expect(none["reason"]?.stringValue == "too short: 12 of 40 samples")
        }
    }

    @Test(arguments: [
        "/all_metrics", "/max_min_avg_std_metric", "/prediction_of_metric_values", "/autocorrelation_stationarity_seasonality_metadata",
    ])
    func parameters(path: String) async throws {
        try await bench().test { client in
            func count(_ query: [(String, String)]) async throws -> Int { try await client.get(path, query).json.objectValue?.count ?? -1 }
            let factor = path == "/max_min_avg_std_metric" ? 3 : 1
            let byName = try await count([("metric", "node_load1")])
            #expect(byName == factor)
            let bySeries = try await count([("metric", cpu.labels.description)])
            #expect(bySeries == factor)
            let bySelector = try await count([("match[]", #"{__name__=~"node_.*",cpu=""}"#)])
            #expect(bySelector == factor)
            let nothing = try await count([("metric", "unknown")])
            #expect(nothing == 0)
            for (name, value) in [("limit", "0"), ("limit", "x"), ("cursor", "x"), ("match[]", "{"), ("metric", ""), ("colour", "red")] {
                let response = try await client.get(path, [(name, value)])
                #expect(response.status == .badRequest, "\(name)=\(value)")
                #expect(response.json["detail"]?.stringValue?.contains("'\(name)'") == true, "\(response.text)")
            }
        }
    }

    @Test func theLinkLeadsThroughAllPages() async throws {
        let bench = try Bench()
        var batch = StoreBatch()
        batch.windows = (0..<25).map { windows(key("m", [("i", "\($0)")])) }
        try await bench.store.write(batch)
        // One series is live only: it must take its place in the order.
        bench.receive(.windows([windows(key("m", [("i", "live")]))]))
        try await bench.test { client in
            var uri = "/all_metrics?limit=7&match%5B%5D=m"
            var names: [String] = []
            var numbers: [String] = []
            for _ in 0..<10 {
                let response = try await client.execute(uri: uri, method: .get)
                #expect(response.status == .ok)
                let members = try #require(response.json.objectValue)
                numbers += members.map(\.key)
                names += members.compactMap(\.value.stringValue)
                guard let link = response.headers[.link] else { break }
                #expect(link.hasSuffix(">; rel=\"next\""))
                uri = String(link.dropFirst().prefix { $0 != ">" })
            }
            #expect(numbers == (0..<26).map(String.init))
            #expect(Set(names).count == 26)
        }
    }

    /// The index counts on from the cursor's.
    @Test(arguments: ["/all_metrics", "/api/v1/series"])
    func aCursorBeyondAllNumbersIsRefused(path: String) async throws {
        try await bench().test { client in
            let first = String(repeating: "0", count: 32)
            for index in ["9223372036854775807", "9223372036854775806", "9007199254740993", "9223372036854775808"] {
                let response = try await client.get(path, [("cursor", "\(first)-\(index)"), ("limit", "1")])
                #expect(response.status == .badRequest, "\(index)")
                #expect(response.json["detail"]?.stringValue?.contains("'cursor'") == true, "\(response.text)")
            }
            let largest = try await client.get(path, [("cursor", "\(first)-9007199254740992"), ("limit", "1")])
            #expect(largest.status == .ok)
        }
    }

    @Test func unknownPathsNameThePathsThatTellMore() async throws {
        try await bench().test { client in
            let detail = try await client.get("/nothing").json["detail"]?.stringValue ?? ""
            #expect(detail.contains("/openapi.json or /"), "\(detail)")
        }
    }

    @Test func homeAnswersBrowsersAndPrograms() async throws {
        try await bench().test { client in
            let json = try await client.get("/")
            #expect(json.json["name"]?.stringValue == "almanac")
            #expect(json.json["version"]?.stringValue == "1.2.3")
            #expect(json.headers[.vary] == "Accept")
            for (_, link) in json.json["links"]?.objectValue ?? [] where link.stringValue != "/api/v1/events" {
                let response = try await client.get(link.stringValue ?? "")
                #expect(response.status == .ok || link == "/-/ready", "\(link)")
            }
        }
    }

    @Test func thePageCarriesEverythingItself() async throws {
        try await bench().test { client in
            let first = try await client.get("/", headers: [.accept: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"])
            let second = try await client.get("/", headers: [.accept: "text/html"])
            #expect(first.headers[.contentType] == "text/html; charset=utf-8")
            let policy = try #require(first.headers[.contentSecurityPolicy])
            #expect(policy.contains("default-src 'none'") && !policy.contains("unsafe"))
            #expect(policy != second.headers[.contentSecurityPolicy], "the nonce must differ from answer to answer")
            let nonce = try #require(policy.split(separator: "'").first { $0.hasPrefix("nonce-") }?.dropFirst(6))
            #expect(first.text.contains("<script nonce=\"\(nonce)\">") && first.text.contains("<style nonce=\"\(nonce)\">"))
            #expect(!first.text.contains("@NONCE@"))
            for forbidden in [
                "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "src=\"http", "href=\"http", "style=\"",
                "@import",
            ] {
                #expect(!first.text.contains(forbidden), "the page has \(forbidden)")
            }
        }
    }
}
