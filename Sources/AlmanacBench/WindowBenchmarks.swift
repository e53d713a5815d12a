import Analytics
import TimeSeries

/// Series as a node exporter gives them: a third each of counters that grow by whole steps, gauges with two digits, and constants.
struct BenchSeries {
    static func value(_ series: Int, _ i: Int) -> Double {
        switch series % 3 {
        case 0: return Double((i * (37 + series % 91)) + (i &* 2_654_435_761) % 17)
        case 1: return Double(1000 + (i &* 40_503 &+ series &* 7) % 997) / 100
        default: return Double(series)
        }
    }

    static func filled(_ count: Int, samples: Int, start: Milliseconds) -> [SampleHistory] {
        (0..<count).map { s in
            var history = SampleHistory(isCounter: s % 3 == 0)
            for i in 0..<samples {
                let time = start + Milliseconds(i) * 15_000
                _ = history.append(time: time, value: value(s, i))
                if i % 40 == 0 { _ = history.seal(through: time - 600_000, span: 1_800_000) }
            }
            history.expire(before: start + Milliseconds(samples) * 15_000 - 12 * 3_600_000 - 1_800_000)
            return history
        }
    }
}

func windowBenchmarks(_ report: inout Report) {
    let windows: [Milliseconds] = [3_600_000, 3 * 3_600_000, 12 * 3_600_000]
    let start: Milliseconds = 1_700_000_000_000
    let samples = 3_200
    var histories = BenchSeries.filled(1_000, samples: samples, start: start)
    let bytes = histories.reduce(0) { $0 + $1.memoryBytes }
    report.add("windows: memory a series, 12 h at 15 s, synthetic", Double(bytes) / 1000, "bytes")

    var scratch = WindowScratch()
    var results: [Moments] = []
    var checksum = 0.0
    var t = start + Milliseconds(samples) * 15_000
    let evaluation = measure(runs: 20) {
        for s in histories.indices {
            _ = histories[s].append(time: t, value: BenchSeries.value(s, samples))
            histories[s].evaluate(at: t, windows: windows, scratch: &scratch, into: &results)
            checksum += results[2].mean
        }
        t += 15_000
    }
    report.add("windows: append and evaluate 1,000 series x 3 windows x 5 statistics", evaluation * 1e3, "ms", limit: 3, isCeiling: true)
    let quantiles = measure(runs: 10) {
        for s in histories.indices {
            histories[s].evaluate(at: t, windows: windows, scratch: &scratch, into: &results)
            checksum += histories[s].quantiles(at: t, windows: windows, moments: results, scratch: &scratch)[0]?.p95 ?? 0
        }
    }
    report.add("windows: exact p50, p95, p99 of 1,000 series x 3 windows", quantiles * 1e3, "ms")

    let updates = 1_000_000
    let update = measure(runs: 3) {
        var fresh = [SampleHistory](repeating: SampleHistory(isCounter: false), count: 10_000)
        var time = start
        for _ in 0..<(updates / 10_000) {
            for s in fresh.indices { _ = fresh[s].append(time: time, value: Double(s)) }
            time += 15_000
        }
        checksum += Double(fresh[0].headCount)
    }
    report.add("windows: updates", Double(updates) / update / 1e6, "M samples/s", limit: 5, isCeiling: false)
    if checksum == 0.5 { print("unlikely") }
}
