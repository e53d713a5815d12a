import Analytics

/// The rows of `evaluate forecast`: at each origin the forecast from the context before it, beside what came.
struct ForecastEvaluation {
    static let header = "series,origin,kind,step,actual,mean,q025,q10,q20,q30,q40,q50,q60,q70,q80,q90,q975"

    var context: Int
    var horizon: Int
    var origins: Int

    /// Evenly spaced from the context's end to the last full horizon; fewer where there are not as many.
    func places(count: Int) -> [Int] {
        let last = count - horizon
        guard context <= last, origins > 0 else { return [] }
        if origins == 1 { return [context] }
        var places: [Int] = []
        for k in 0..<origins {
            let place = context + (last - context) * k / (origins - 1)
            if place != places.last { places.append(place) }
        }
        return places
    }

    /// Rows of one series. An origin without a forecast or with a missing value in its horizon gives none.
    func rows(_ file: ValueFile) -> [String] {
        let series = file.name.hasSuffix(".csv") ? String(file.name.dropLast(4)) : file.name
        var rows: [String] = []
        for origin in places(count: file.values.count) {
            let history = Array(file.values[(origin - context)..<origin])
            let actual = Array(file.values[origin..<(origin + horizon)])
            guard actual.allSatisfy({ $0.isFinite }), let forecast = forecast(history, horizon: horizon).value else { continue }
            for step in 0..<horizon {
                rows.append(row(series, origin, "path", step + 1, actual[step], forecast.path[step]))
            }
            rows.append(row(series, origin, "max", 0, actual.max() ?? 0, forecast.max))
            rows.append(row(series, origin, "min", 0, actual.min() ?? 0, forecast.min))
            rows.append(row(series, origin, "avg", 0, actual.reduce(0, +) / Double(horizon), forecast.avg))
        }
        return rows
    }

    private func row(_ series: String, _ origin: Int, _ kind: String, _ step: Int, _ actual: Double, _ p: Prediction) -> String {
        "\(series),\(origin),\(kind),\(step),\(actual),\(p.expected)," + p.quantiles.map { "\($0)" }.joined(separator: ",")
    }
}
