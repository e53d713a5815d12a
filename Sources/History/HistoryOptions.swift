import TimeSeries

/// What is computed of a series' past, and when. Times are milliseconds.
///
/// Both ways to run a backfill, on this machine and on a cluster, are told the same options; `transformArguments` is how they reach
/// `almanac transform`.
package struct HistoryOptions: Sendable, Equatable {
    /// Lengths of the windows, ascending, each once.
    package var windows: [Milliseconds] = [3_600_000, 3 * 3_600_000, 12 * 3_600_000]
    /// Windows are evaluated at multiples of this.
    package var every: Milliseconds = 300_000
    package var quantiles = false
    /// Profiles stand at multiples of this; nil for none. One a day says what months were like; one an hour costs several times what all windows
    /// cost together.
    package var profiles: Milliseconds? = 86_400_000
    /// The distance of profiles where forecasts are asked for and nothing else is said: a forecast takes its cycles from the newest profile.
    package static let profilesOfForecasts: Milliseconds = 3_600_000
    package var profileSpan: Milliseconds = 12 * 3_600_000
    /// Forecasts stand at multiples of this; nil for none.
    package var forecasts: Milliseconds?
    package var forecastSpan: Milliseconds = 12 * 3_600_000
    package var forecastHorizon: Milliseconds = 600_000
    /// A forecaster is fitted anew after this long; between fits it is told what came.
    package var forecastRefit: Milliseconds = 900_000
    /// Only results after this time; samples from before it fill the windows.
    package var from: Milliseconds?
    /// Only results and samples up to this time. With it results go on after a series' last sample while a window still holds one; without
    /// it they end at the first point of the grid at or after that sample, because nothing is known of what follows.
    package var to: Milliseconds?

    package init() {}

    /// The earliest sample that can matter; earlier ones are passed over, wherever they are read, so that every reader gives the same.
    /// The five minutes are Prometheus' lookback: the base of a counter's first rate.
    package var firstSample: Milliseconds? {
        guard let from else { return nil }
        let (start, overflow) = from.subtractingReportingOverflow(holding + 300_000)
        return overflow ? .min : start
    }

    /// The longest stretch of samples that a result looks at.
    package var holding: Milliseconds {
        var longest = windows.last ?? 0
        if profiles != nil { longest = max(longest, profileSpan) }
        if forecasts != nil { longest = max(longest, forecastSpan) }
        return longest
    }

    /// Shortest interval and longest length taken, milliseconds: a second, ten years.
    private static let bounds: ClosedRange<Milliseconds> = 1_000...(3650 * 86_400_000)

    /// How often one sample may be in a result, as results of one silence are held together.
    private static let mostResults: Milliseconds = 50_000

    /// What is wrong with the options, for a person; nil if nothing.
    package func problem() -> String? {
        if windows.isEmpty { return "--windows: give at least one length, such as 1h" }
        if windows.count > 16 { return "--windows: at most 16" }
        if zip(windows, windows.dropFirst()).contains(where: { $0 >= $1 }) { return "--windows: give each length once, shortest first" }
        let lengths =
            windows.map { ("--windows", $0) } + [
                ("--every", every), ("--profiles", profiles ?? every), ("--forecasts", forecasts ?? every),
            ]
        for (name, length) in lengths where !HistoryOptions.bounds.contains(length) {
            return "\(name) \(DurationNotation.text(length)): give from 1s to 3650d"
        }
        let shortest = min(every, profiles ?? every, forecasts ?? every)
        if holding / shortest > HistoryOptions.mostResults {
            return "\(DurationNotation.text(shortest)) in a window of \(DurationNotation.text(holding)) would give more than "
                + "\(HistoryOptions.mostResults) results after one sample; give a longer --every, --profiles or --forecasts, or shorter --windows"
        }
        if let from, let to, from >= to { return "--from must be before --to" }
        return nil
    }
}

extension HistoryOptions {
    /// The arguments of `almanac transform` that ask for the same; defaults are written out, so that another version's cannot differ.
    package var transformArguments: [String] {
        var arguments = [
            "--windows", windows.map(DurationNotation.text).joined(separator: ","), "--every", DurationNotation.text(every),
        ]
        if quantiles { arguments.append("--quantiles") }
        arguments += ["--profiles", profiles.map(DurationNotation.text) ?? "none"]
        arguments += ["--forecasts", forecasts.map(DurationNotation.text) ?? "none"]
        if let from { arguments += ["--from", CivilTime.text(from)] }
        if let to { arguments += ["--to", CivilTime.text(to)] }
        return arguments
    }
}

/// Durations as the command line reads them: `1h30m`, `250ms`.
package enum DurationNotation {
    private static let units: [(name: String, length: Milliseconds)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// Of a length that is not negative.
    package static func text(_ length: Milliseconds) -> String {
        var rest = length
        var text = ""
        for unit in units where rest >= unit.length {
            text += "\(rest / unit.length)\(unit.name)"
            rest %= unit.length
        }
        return text.isEmpty ? "0s" : text
    }
}
