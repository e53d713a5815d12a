import Analytics

func forecastBenchmarks(_ report: inout Report) {
    let values = benchSeries(2_880)
    let next = benchSeries(2_880 + 1_000).suffix(1_000)
    var checksum = 0.0
    for (steps, limit) in [(10, 1_000.0), (40, 1_500.0)] {
        let fit = measure(runs: 15) { for _ in 0..<10 { checksum += forecast(values, horizon: steps).value?.avg.expected ?? 0 } }
        report.add("forecast: fit, calibrate and forecast, \(steps) steps", fit / 10 * 1e6, "us", limit: limit)
        guard let model = ForecastModel.fit(values.span, horizon: steps).value else { continue }
        var state = ForecastState(model: model)
        let ask = measure(runs: 15) { for _ in 0..<100 { checksum += state.forecast(from: values.span).value?.avg.expected ?? 0 } }
        report.add("forecast: from a fitted model, \(steps) steps", ask / 100 * 1e6, "us")
        // An update with its share of the forecast that is taken up once a horizon.
        let update = measure(runs: 15) {
            for (i, value) in next.enumerated() {
                if i % steps == 0 { checksum += state.forecast(from: values.span).value?.avg.expected ?? 0 }
                state.update(value)
            }
        }
        report.add("forecast: update by a sample, \(steps) steps", update / Double(next.count) * 1e6, "us", limit: 5)
        report.add("forecast: state, \(steps) steps", Double(state.encode().count), "bytes", limit: 2_048)
    }
    anomalyBenchmark(values, &report)
    if checksum == 0.5 { print("unlikely") }
}

private func anomalyBenchmark(_ values: [Double], _ report: inout Report) {
    var detector = AnomalyDetector()
    var time: Int64 = 0
    let seconds = measure(runs: 15) {
        for value in values {
            time += 15_000
            _ = detector.update(time: time, value: value)
        }
    }
    report.add("anomalies: update by a sample", seconds / Double(values.count) * 1e6, "us", limit: 5)
    report.add("anomalies: state", Double(detector.encode().count), "bytes")
}
