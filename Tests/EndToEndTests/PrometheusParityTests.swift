import Foundation
import Records
import TestSupport
import Testing

/// Against a real Prometheus that holds history: full windows at once, and the same values.
@Suite(.serialized) struct PrometheusParityTests {
    static let isInstalled =
        FileManager.default.isExecutableFile(atPath: "/usr/bin/prometheus")
        && FileManager.default.isExecutableFile(atPath: "/usr/bin/promtool")

    /// 13 hours of gauges at 15 s, each at its own phase, one with gaps, one constant, one at 1e9 with small noise.
    static func history(until end: Int64) -> String {
        var random = SplitMix64(seed: 11)
        var text = "# TYPE probe gauge\n"
        for i in 0..<6 {
            var time = end - 13 * 3_600_000 + Int64(i) * 1_371
            while time <= end {
                let value: Double =
                    switch i {
                    case 0: 7
                    case 1: 1e9 + Double.random(in: -1e-3...1e-3, using: &random)
                    case 2: Double(Int.random(in: -5...5, using: &random))
                    default: Double.random(in: -100...100, using: &random)
                    }
                let isGap = i == 3 && (time / 1_000_000) % 7 == 0
                if !isGap { text += "probe{i=\"\(i)\"} \(value) \(time / 1000).\(String(1000 + time % 1000).dropFirst())\n" }
                time += 15_000
            }
        }
        return text + "# EOF\n"
    }

    static func query(_ base: String, _ expression: String, at time: Int64) async throws -> [String: Double] {
        var parts = try #require(URLComponents(string: base + "/api/v1/query"))
        parts.queryItems = [URLQueryItem(name: "query", value: expression), URLQueryItem(name: "time", value: "\(Double(time) / 1000)")]
        let answer = await get(try #require(parts.url?.absoluteString).replacingOccurrences(of: "+", with: "%2B"))
        let data = try #require(answer.object["data"] as? [String: Any], "\(answer.text.prefix(500))")
        var values: [String: Double] = [:]
        for case let result as [String: Any] in try #require(data["result"] as? [Any]) {
            let metric = result["metric"] as? [String: String]
            let pair = result["value"] as? [Any]
            if let i = metric?["i"], let text = pair?.last as? String { values[i] = Double(text) }
        }
        return values
    }

    @Test(.enabled(if: isInstalled, "Debian's prometheus is not installed"))
    func fullWindowsInTheFirstMinuteWithPrometheusValues() async throws {
        let folder = try TemporaryFolder()
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        try Self.history(until: now - 30_000).write(toFile: folder.path + "/history.om", atomically: true, encoding: .utf8)
        let tool = try Server(
            "/usr/bin/promtool", ["tsdb", "create-blocks-from", "openmetrics", folder.path + "/history.om", folder.path + "/tsdb"],
            output: folder.path + "/tool.log")
        try await eventually("blocks are made") { !tool.isRunning }
        try "global: {}\n".write(toFile: folder.path + "/prometheus.yml", atomically: true, encoding: .utf8)
        let port = freePort()
        let base = "http://127.0.0.1:\(port)"
        let prometheus = try Server(
            "/usr/bin/prometheus",
            [
                "--config.file=\(folder.path)/prometheus.yml", "--storage.tsdb.path=\(folder.path)/tsdb",
                "--web.listen-address=127.0.0.1:\(port)",
            ],
            output: folder.path + "/prometheus.log")
        try await eventually("Prometheus is ready: \(prometheus.printed)") { await get(base + "/-/ready").code == 200 }
        let instance = try NewcomerTests.Instance(
            """
            collect:
              host: {enabled: false}
              prometheus: [{url: "\(base)", selectors: ['probe'], backfill: 13h, interval: 1s}]
            """)
        let started = ContinuousClock.now
        var rows: [(key: String, value: JSONValue)] = []
        try await eventually("full 12 h windows: \(instance.server.printed)") {
            let answer = await get(instance.url + "/max_min_avg_std_metric?metric=probe")
            // Not JSONSerialization, which may be off by the last digit.
            rows = (try? JSONValue(parsing: Array(answer.body)))?.objectValue ?? []
            // Rows of the past come first, while the history is being read.
            return rows.count == 18
                && rows.allSatisfy { ($0.value["timeMs"]?.int64Value ?? 0) > now - 60_000 }
                && rows.allSatisfy { !$0.key.hasSuffix(",12h") || ($0.value["count"]?.intValue ?? 0) > 2_300 }
        }
        #expect(ContinuousClock.now - started < .seconds(60))
        var compared = 0
        for (key, row) in rows {
            let parts = key.split(separator: ",").map(String.init)
            let window = try #require(["1h": 3_600_000, "3h": 10_800_000, "12h": 43_200_000][parts[1]])
            let series = String(parts[0].dropFirst(#"probe{i=""#.count).dropLast(2))
            let time = try #require(row["timeMs"]?.int64Value)
            let range = "probe[\(window - 1)ms]"
            func prometheusSays(_ function: String) async throws -> Double {
                try #require(try await Self.query(base, "\(function)(\(range))", at: time)[series], "\(function) of \(key)")
            }
            let count = try await prometheusSays("count_over_time")
            #expect(Double(try #require(row["count"]?.intValue)) == count, "\(key) at \(time)")
            let greatest = try await prometheusSays("max_over_time")
            #expect(row["max"]?.doubleValue == greatest, "\(key) at \(time)")
            let least = try await prometheusSays("min_over_time")
            #expect(row["min"]?.doubleValue == least, "\(key) at \(time)")
            let avg = try #require(row["avg"]?.doubleValue)
            let wanted = try await prometheusSays("avg_over_time")
            #expect(abs(avg - wanted) <= 1e-12 * max(abs(avg), 1), "\(key) at \(time): \(avg) and \(wanted)")
            for (name, q) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
                let quantile = try #require(row[name]?.doubleValue)
                let theirs = try #require(try await Self.query(base, "quantile_over_time(\(q), \(range))", at: time)[series])
                #expect(abs(quantile - theirs) <= 1e-12 * max(abs(theirs), 1), "\(name) of \(key)")
            }
            let std = try #require(row["std"]?.doubleValue)
            let population = try await prometheusSays("stddev_over_time")
            // Theirs divides by n; round 1e9 theirs is the less exact one.
            if series != "1" { #expect(abs(std - population * (count / (count - 1)).squareRoot()) <= 1e-9 * max(std, 1e-3), "\(key)") }
            compared += 1
        }
        #expect(compared == 18)
        #expect(instance.server.end(SIGTERM) == 0)
    }
}
