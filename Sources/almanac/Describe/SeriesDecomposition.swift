import Analytics
import Records
import TimeSeries

/// A series taken apart: by STL into all cycles at once, and classically by each alone.
struct SeriesDecomposition {
    /// In steps, ascending.
    var periods: [Int]
    var step: Milliseconds
    /// STL of one period, MSTL of several.
    var stl: Answer<Decomposition>
    /// `seasonal_decompose` of each period.
    var classical: [Answer<Decomposition>]

    /// What to take apart by.
    enum Choice {
        /// The cycles that the profile found.
        case found
        case period(Milliseconds)
    }

    /// Regressions at every point are exact and slow; beyond this many of them they are made at every tenth of a window.
    private static let mostExact = 4_000_000

    init(_ values: [Double], step: Milliseconds, found: [SeasonalPeriod], choice: Choice) {
        self.step = step
        switch choice {
        case .found: periods = Array(Set(found.map { SeriesDecomposition.whole($0.period, step: step) }.filter { $0 >= 2 })).sorted()
        case .period(let length): periods = [Int(clamping: (length + step / 2) / step)]
        }
        classical = periods.map { seasonalDecompose(values, period: $0) }
        guard let longest = periods.last else {
            stl = .none("no cycle was found; name one with --period, such as --period 1d")
            return
        }
        let isExact = values.count.multipliedReportingOverflow(by: longest).partialValue <= SeriesDecomposition.mostExact
        let options = isExact ? STLOptions() : .fast(period: longest)
        stl =
            periods.count == 1 ? Analytics.stl(values, period: longest, options: options) : mstl(values, periods: periods, options: options)
    }

    /// Arrays are as long as the series that was analysed; null where a moving average has no value.
    var json: JSONValue {
        [
            "stl": SeriesDecomposition.json(stl, step),
            "classical": .array(
                zip(periods, classical).map { period, answer in
                    answer.value == nil
                        ? ["periodSeconds": seconds(period), "reason": JSONValue(answer.reason)] : SeriesDecomposition.json(answer, step)
                }),
        ]
    }

    private func seconds(_ period: Int) -> JSONValue { JSONValue(Double(period) * Double(step) / 1000) }

    private static func json(_ answer: Answer<Decomposition>, _ step: Milliseconds) -> JSONValue {
        guard let fit = answer.value else { return ["reason": JSONValue(answer.reason)] }
        let seasons = zip(fit.periods, zip(fit.seasonal, fit.seasonalStrengths)).map { period, season -> JSONValue in
            [
                "periodSeconds": JSONValue(Double(period) * Double(step) / 1000), "strength": JSONValue(season.1),
                "values": numbers(season.0),
            ]
        }
        return [
            "trendStrength": JSONValue(fit.trendStrength), "trend": numbers(fit.trend), "seasonal": .array(seasons),
            "remainder": numbers(fit.residual),
        ]
    }

    private static func numbers(_ values: [Double]) -> JSONValue { .array(values.map { $0.isFinite ? JSONValue($0) : .null }) }
}

extension SeriesDecomposition {
    /// Lines for the terminal, without a title.
    func lines(_ style: TerminalStyle) -> [String] {
        guard let fit = stl.value else { return ["  none: \(stl.reason ?? "no answer")"] + classicalReasons }
        let heads = ["", "strength", "stddev", "strength", "stddev"]
        let shared = periods.count == 1 ? classical.first?.value : nil
        var rows: [[String]] = [
            ["trend", strength(fit.trendStrength), deviation(fit.trend)]
                + (shared.map { [strength($0.trendStrength), deviation($0.trend)] } ?? ["", ""])
        ]
        for (i, period) in fit.periods.enumerated() {
            let own = periods.firstIndex(of: period).flatMap { classical.indices.contains($0) ? classical[$0].value : nil }
            rows.append(
                [
                    "cycle of \(DurationLabel.text(Milliseconds(period) * step))", strength(fit.seasonalStrengths[i]),
                    deviation(fit.seasonal[i]),
                    own.map { strength($0.seasonalStrengths[0]) } ?? "-", own.map { deviation($0.seasonal[0]) } ?? "-",
                ])
        }
        rows.append(["remainder", "", deviation(fit.residual), "", shared.map { deviation($0.residual) } ?? ""])
        let width = (rows.map { $0[0].count }.max() ?? 0) + 2
        func line(_ cells: [String]) -> String {
            "  " + cells[0].padded(right: width) + cells.dropFirst().map { $0.padded(left: 11) }.joined()
        }
        let methods = "  " + String(repeating: " ", count: width) + "STL".padded(left: 22) + "classical".padded(left: 22)
        return [style.paint(methods, .faint), style.paint(line(heads), .faint)] + rows.map(line) + [
            "  strength 0 to 1: the part's share beside the remainder; by STL white noise reaches 0.36, a cycle above 0.64 is real"
        ]
    }

    private var classicalReasons: [String] {
        zip(periods, classical).compactMap { period, answer in
            answer.value == nil ? nil : "  classical, cycle of \(DurationLabel.text(Milliseconds(period) * step)): see --json"
        }
    }

    private func strength(_ value: Double) -> String { NumberText.fixed(value, 2) }

    /// The sample deviation of what is there.
    private func deviation(_ values: [Double]) -> String {
        var moments = Moments()
        for value in values where value.isFinite { moments.add(value) }
        return NumberText.format(moments.stddev, digits: 4)
    }
}

extension SeriesDecomposition {
    /// The period in whole samples; that of an hour, half a day, a day or a week where the detected one is within a hundredth of it, as a few cycles tell a
    /// period no better.
    fileprivate static func whole(_ period: Double, step: Milliseconds) -> Int {
        let length = period * Double(step)
        for calendar in [3_600_000, 43_200_000, 86_400_000, 604_800_000] as [Milliseconds]
        where calendar % step == 0 && abs(length - Double(calendar)) <= 0.01 * Double(calendar) {
            return Int(calendar / step)
        }
        return Int(period.rounded())
    }
}
