import Analytics

/// An AR(.8) series with a cycle: neither trivial nor exotic.
func benchSeries(_ count: Int) -> [Double] {
    var state: UInt64 = 9
    var level = 0.0
    return (0..<count).map { i in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        level = 0.8 * level + Double(state >> 40) / Double(1 << 24) - 0.5
        return level + Double(i % 240) / 240
    }
}

func profileBenchmarks(_ report: inout Report) {
    let values = benchSeries(2_880)
    var checksum = 0.0
    func micro(_ name: String, limit: Double?, _ body: () -> Double) {
        let seconds = measure(runs: 15) { for _ in 0..<10 { checksum += body() } }
        report.add(name, seconds / 10 * 1e6, "us", limit: limit)
    }
    micro("profile: ACF, 40 lags", limit: 30) { autocorrelation(of: values, lags: 40).value?.values[1] ?? 0 }
    micro("profile: ADF with the AIC search", limit: 120) { augmentedDickeyFuller(of: values).value?.statistic ?? 0 }
    micro("profile: KPSS", limit: 20) { kpss(of: values).value?.statistic ?? 0 }
    micro("profile: all of it", limit: 600) { Double(profile(of: values).count) }
    micro("profile: detection of cycles", limit: 250) { Double(seasonalPeriods(of: values).count) }
    micro("profile: STL, period 240", limit: 10_000) { stl(values, period: 240).value?.trend[0] ?? 0 }
    let many = benchSeries(10_000_000)
    let seconds = measure(runs: 1) { checksum += Double(profile(of: many).count) }
    report.add("profile: all of it for 10 million samples", seconds, "s", limit: 5)
    if checksum == 0.5 { print("unlikely") }
}
