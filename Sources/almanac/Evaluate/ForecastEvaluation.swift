import Analytics
import TimeSeries

/// The rows of `evaluate forecast`: at each origin the forecast from the context before it, beside what came.
struct ForecastEvaluation {
    static let header = "series,origin,kind,step,actual,mean,q025,q10,q20,q30,q40,q50,q60,q70,q80,q90,q975"

    var context: Int
    var horizon: Int
    var origins: Int
    /// Time between two values.
    var step: Milliseconds
    /// Whether to go through the series sample by sample as the product does, with a fit every `refit` samples (and where the model is outdated)
    /// and calibration in between, instead of fitting anew at each origin.
    var online = false
    var refit = 15

    private var day: Int? { (24 * 3_600_000) % step == 0 ? Int(24 * 3_600_000 / step) : nil }

    /// Evenly spaced from the context's end to the last full horizon; fewer where there are not as many.
    func places(count: Int) -> [Int] {
        let last = count - horizon
        guard context <= last, origins > 0 else { return [] }
        if origins == 1 { return [context] }
        // There are no more places than values.
        let origins = min(origins, last - context + 1)
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
        let series = Self.quoted(file.name.hasSuffix(".csv") ? String(file.name.dropLast(4)) : file.name)
        let places = places(count: file.values.count)
        let values = Self.filled(file.values)
        return online ? replay(series, file.values, values, places) : fresh(series, file.values, values, places)
    }

    private func fresh(_ series: String, _ actual: [Double], _ values: [Double], _ places: [Int]) -> [String] {
        places.flatMap { origin in
            let history = Array(values[(origin - context)..<origin])
            return rows(series, origin, actual, forecast(history, horizon: horizon, options: options(history)).value)
        }
    }

    private func replay(_ series: String, _ actual: [Double], _ values: [Double], _ places: [Int]) -> [String] {
        guard let first = places.first, let last = places.last else { return [] }
        var rows: [String] = []
        var pending = places[...]
        var state: ForecastState?
        var options = ForecastOptions()
        for t in first...last {
            let history = Array(values[(t - context)..<t])
            if t > first { state?.update(actual[t - 1]) }
            let age = t - first
            if age % (4 * refit) == 0 { options = self.options(history) }
            if age % refit == 0 || state?.model.isOutdated(for: history.span) == true,
                let model = ForecastModel.fit(history.span, horizon: horizon, options: options, after: state?.model).value
            {
                if state == nil { state = ForecastState(model: model) } else { state?.refit(model) }
            }
            let forecast = state?.forecast(from: history.span).value
            guard t == pending.first else { continue }
            pending = pending.dropFirst()
            rows += self.rows(series, t, actual, forecast)
        }
        return rows
    }

    private func options(_ history: [Double]) -> ForecastOptions {
        ForecastOptions(detected: seasonalPeriods(of: history), day: day)
    }

    private func rows(_ series: String, _ origin: Int, _ values: [Double], _ forecast: Forecast?) -> [String] {
        let actual = Array(values[origin..<(origin + horizon)])
        guard actual.allSatisfy({ $0.isFinite }), let forecast else { return [] }
        let path = (0..<horizon).map { row(series, origin, "path", $0 + 1, actual[$0], forecast.path[$0]) }
        let mean = actual.reduce(0, +) / Double(horizon)
        return path + [
            row(series, origin, "max", 0, actual.max() ?? 0, forecast.max), row(series, origin, "min", 0, actual.min() ?? 0, forecast.min),
            row(series, origin, "avg", 0, mean, forecast.avg),
        ]
    }

    /// Gaps take the value before them, as it was known then; at the start, the first there is.
    private static func filled(_ values: [Double]) -> [Double] {
        var last = values.first { $0.isFinite } ?? 0
        return values.map { value in
            if value.isFinite { last = value }
            return last
        }
    }

    /// As RFC 4180 quotes what would end a field.
    private static func quoted(_ name: String) -> String {
        guard name.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return name }
        return "\"" + name.replacing("\"", with: "\"\"") + "\""
    }

    private func row(_ series: String, _ origin: Int, _ kind: String, _ step: Int, _ actual: Double, _ p: Prediction) -> String {
        "\(series),\(origin),\(kind),\(step),\(actual),\(p.expected)," + p.quantiles.map { "\($0)" }.joined(separator: ",")
    }
}
