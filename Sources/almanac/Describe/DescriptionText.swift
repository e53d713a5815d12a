import Analytics
import TimeSeries

/// A description for the terminal.
struct DescriptionText {
    let description: SeriesDescription
    let style: TerminalStyle

    /// All lines.
    func render() -> String {
        (heading() + statistics() + profile() + decomposition() + forecast() + plot()).joined(separator: "\n") + "\n"
    }

    private func title(_ text: String) -> [String] { ["", style.paint(text, .strong)] }

    private func heading() -> [String] {
        let even = description.even
        let column = description.column.isEmpty ? "" : " of \(description.column)"
        var line = "\(description.name): \(Count.text(description.statistics.moments.count, "value", "values"))\(column)"
        if let start = even.start, let end = even.end {
            line += ", \(TimeText.format(start)) to \(TimeText.format(end)) UTC, every \(DurationLabel.text(even.step))"
        }
        return [style.paint(line, .strong)] + description.notes.map { "  note: \($0)" }
    }

    private func statistics() -> [String] {
        let moments = description.statistics.moments
        let pairs: [(String, String)] = [
            ("count", Count.digits(moments.count)), ("min", NumberText.format(moments.min)), ("max", NumberText.format(moments.max)),
            ("avg", NumberText.format(moments.mean)), ("stddev", NumberText.format(moments.stddev)),
            ("p50", NumberText.format(description.statistics.p50)),
            ("p95", NumberText.format(description.statistics.p95)), ("p99", NumberText.format(description.statistics.p99)),
        ]
        let widths = pairs.map { max($0.0.count, $0.1.count) }
        let names = zip(pairs, widths).map { $0.0.padded(left: $1) }.joined(separator: "  ")
        let values = zip(pairs, widths).map { $0.1.padded(left: $1) }.joined(separator: "  ")
        return title("Statistics") + ["  " + style.paint(names, .faint), "  " + values]
    }

    // MARK: - Profile

    private func profile() -> [String] {
        let profile = description.profile
        if let reason = profile.reason { return title("Profile") + ["  none: \(reason)"] }
        let verdict = profile.verdict.value?.rawValue ?? profile.verdict.reason ?? "none"
        var lines = ["  \(verdict)\(DescriptionText.explain(profile.verdict.value))"]
        lines.append(
            test("ADF ", profile.adf) {
                "statistic \(NumberText.fixed($0.statistic, 3)), p \(p($0.pValue)), \(Count.text($0.lags, "lag", "lags"))"
            })
        lines.append(
            test("KPSS", profile.kpss) {
                "statistic \(NumberText.fixed($0.statistic, 3)), p \(clipped($0.pValue)), \(Count.text($0.lags, "lag", "lags"))"
            })
        lines.append("  seasonality: \(seasonality)")
        if let box = profile.ljungBox.value {
            lines.append(
                "  Ljung-Box over \(Count.text(box.lags, "lag", "lags")): statistic \(NumberText.format(box.statistic)), p \(p(box.pValue))"
            )
        }
        return title("Profile") + lines + autocorrelation()
    }

    /// KPSS' tables end at 1 and 10 %.
    private func clipped(_ value: Double) -> String { value >= 0.1 ? ">= 0.1" : value <= 0.01 ? "<= 0.01" : p(value) }

    private func p(_ value: Double) -> String { value < 0.001 ? "< 0.001" : NumberText.fixed(value, 3) }

    private func test<Value>(_ name: String, _ answer: Answer<Value>, _ text: (Value) -> String) -> String {
        "  \(name) \(answer.value.map(text) ?? answer.reason ?? "no answer")"
    }

    private static func explain(_ verdict: StationarityVerdict?) -> String {
        switch verdict?.rawValue {
        case "stationary": return ": it varies round a steady level"
        case "unit-root": return ": it wanders like a random walk"
        case "structural-break-or-long-memory": return ": the level shifts, or the past weighs long"
        case "inconclusive": return ": the tests do not decide"
        default: return ""
        }
    }

    private var seasonality: String {
        if description.profile.seasonality.isEmpty { return "none found" }
        return description.profile.seasonality.map { season in
            let period = Milliseconds((season.period * Double(description.even.step)).rounded())
            return "\(DurationLabel.text(period)) (strength \(NumberText.fixed(season.strength, 2)))"
        }.joined(separator: ", ")
    }

    /// One bar a lag; a `*` marks those outside the 95 % bounds.
    private func autocorrelation() -> [String] {
        guard let acf = description.profile.acf.value, acf.values.count > 1 else { return [] }
        let significant = Set(acf.significantLags)
        let half = min(24, (style.width - 24) / 2)
        var lines = ["", "  autocorrelation (* outside the 95 % bounds)"]
        for lag in 1..<min(acf.values.count, 25) {
            let value = acf.values[lag]
            let age = DurationLabel.text(Milliseconds(lag) * description.even.step)
            let mark = significant.contains(lag) ? "*" : " "
            lines.append("  \(age.padded(left: 8)) \(NumberText.fixed(value, 3).padded(left: 6)) \(mark) \(bar(value, half: half))")
        }
        let rest = acf.values.count - 25
        if rest > 0 { lines.append("  ... and \(Count.text(rest, "lag", "lags")) more (--json has all)") }
        return lines
    }

    private func bar(_ value: Double, half: Int) -> String {
        let length = min(half, Int((value.magnitude * Double(half)).rounded()))
        let blocks = style.paint(String(repeating: style.isASCII ? "#" : "█", count: length), .history)
        let axis = style.isASCII ? "|" : "│"
        if value < 0 { return String(repeating: " ", count: half - length) + blocks + axis }
        return String(repeating: " ", count: half) + axis + blocks
    }

    private func decomposition() -> [String] {
        description.decomposition.map { title("Decomposition") + $0.lines(style) } ?? []
    }

    // MARK: - Forecast

    private func forecast() -> [String] {
        guard let forecast = description.forecast.value else {
            return title("Forecast") + ["  none: \(description.forecast.reason ?? "no answer")"]
        }
        var lines = title("Forecast of the next \(DurationLabel.text(description.horizon))")
        if let remark = description.forecast.reason { lines.append("  note: \(remark)") }
        lines.append(
            "  "
                + style.paint(
                    "      " + "expected".padded(left: 11) + "80 % interval".padded(left: 27) + "95 % interval".padded(left: 27), .faint))
        for (name, prediction) in [("max", forecast.max), ("min", forecast.min), ("avg", forecast.avg)] {
            let texts = [prediction.interval80, prediction.interval95].map { interval in
                "\(NumberText.format(interval.lowerBound)) to \(NumberText.format(interval.upperBound))".padded(left: 27)
            }
            lines.append("  \(name.padded(right: 6))\(NumberText.format(prediction.expected).padded(left: 11))\(texts.joined())")
        }
        return lines
    }

    // MARK: - Plot

    private func plot() -> [String] {
        let path = description.forecast.value?.path ?? []
        let values = description.even.values
        // Enough of the past to see where the forecast comes from, and still see the forecast.
        let shown = min(values.count, max(path.count * 5, 60))
        let plot = TerminalPlot(
            history: Array(values.suffix(shown)),
            forecast: path.map { ($0.expected, $0.interval80.lowerBound, $0.interval80.upperBound) }, style: style)
        let lines = plot.lines()
        if lines.isEmpty { return [] }
        let past = DurationLabel.text(Milliseconds(shown) * description.even.step)
        let next = path.isEmpty ? "" : " and the next \(DurationLabel.text(description.horizon)) with the 80 % band"
        return title("The last \(past)\(next)") + lines + axis(plot, shown)
    }

    private func axis(_ plot: TerminalPlot, _ shown: Int) -> [String] {
        let margin = String(repeating: " ", count: TerminalPlot.leftMargin)
        let pointer = style.isASCII ? "^" : "▲"
        var left = "-\(DurationLabel.text(Milliseconds(max(0, shown - 1)) * description.even.step))"
        if let end = description.even.end { left = TimeText.format(end - Milliseconds(shown - 1) * description.even.step) }
        let now = description.even.end.map { TimeText.format($0) } ?? "now"
        let gap = plot.boundary - left.count - now.count - 1
        let text =
            gap > 0
            ? left + String(repeating: " ", count: gap) + now + " " + pointer
            : String(repeating: " ", count: max(0, plot.boundary)) + pointer + " \(now)"
        return [style.paint(margin + text, .faint)]
    }
}
