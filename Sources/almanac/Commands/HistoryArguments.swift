import ArgumentParser
import History
import Settings
import TimeSeries

/// What `transform` and `backfill` both take: what is computed of the past.
struct HistoryArguments: ParsableArguments {
    @Option(help: ArgumentHelp("Lengths of the windows, with commas between.", valueName: "durations"))
    var windows = "1h,3h,12h"

    @Option(help: ArgumentHelp("Windows are evaluated at multiples of this.", valueName: "duration"))
    var every = DurationArgument(milliseconds: 300_000)

    @Flag(help: "Also the quantiles p50, p95 and p99 of each window.")
    var quantiles = false

    @Option(
        help: ArgumentHelp(
            "A profile at multiples of this; none for no profiles. The default is 1d, with --forecasts 1h, for they need the cycles that it finds.",
            valueName: "duration"))
    var profiles: OptionalDuration?

    @Option(help: ArgumentHelp("A forecast at multiples of this; none for no forecasts.", valueName: "duration"))
    var forecasts = OptionalDuration(milliseconds: nil)

    @Option(help: ArgumentHelp("Only results after this time (ISO 8601, or seconds or milliseconds since 1970).", valueName: "time"))
    var from: TimeArgument?

    @Option(help: ArgumentHelp("Only results and samples up to this time; without it results end with each series.", valueName: "time"))
    var to: TimeArgument?

    /// Throws a validation error for what makes no sense.
    func options() throws -> HistoryOptions {
        var options = HistoryOptions()
        options.windows = try windows.split(separator: ",", omittingEmptySubsequences: false).map { text in
            guard let length = DurationText.parse(String(text)), length > 0 else {
                throw ValidationError("--windows \(windows): '\(text)' is no duration; give lengths such as 1h,3h,12h")
            }
            return length
        }.sorted()
        options.every = every.milliseconds
        options.quantiles = quantiles
        options.forecasts = forecasts.milliseconds
        options.profiles =
            if let profiles { profiles.milliseconds } else if options.forecasts != nil { HistoryOptions.profilesOfForecasts } else {
                options.profiles
            }
        options.from = from?.milliseconds
        options.to = to?.milliseconds
        if let problem = options.problem() { throw ValidationError(problem) }
        return options
    }
}

/// A duration, or `none`.
struct OptionalDuration: ExpressibleByArgument, CustomStringConvertible {
    var milliseconds: Milliseconds?

    init(milliseconds: Milliseconds?) { self.milliseconds = milliseconds }

    init?(argument: String) {
        if argument == "none" { return }
        guard let duration = DurationArgument(argument: argument) else { return nil }
        milliseconds = duration.milliseconds
    }

    var description: String { milliseconds.map(DurationText.format) ?? "none" }
    var defaultValueDescription: String { description }
}

/// A point in time on the command line.
struct TimeArgument: ExpressibleByArgument {
    var milliseconds: Milliseconds

    init?(argument: String) {
        guard let time = TimeText.parse(argument) else { return nil }
        milliseconds = time
    }
}
