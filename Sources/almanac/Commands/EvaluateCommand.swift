import ArgumentParser
import Foundation
import Records
import Settings
import TimeSeries

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Run the analysis over files of data, so that others can check its numbers.",
        subcommands: [Profile.self, Forecast.self])

    struct Data: ParsableArguments {
        @Option(
            help: ArgumentHelp("A folder; every CSV file below it with the header 'value' and one value a line is read.", valueName: "dir"))
        var data: String

        @Option(help: ArgumentHelp("Time between two values, as 60s or 5m.", valueName: "duration"))
        var step = "60s"

        func milliseconds(_ text: String, _ option: String) throws -> Milliseconds {
            guard let value = DurationText.parse(text), value > 0 else {
                throw ValidationError("\(option) \(text): give a duration such as 15s, 5m or 1h")
            }
            return value
        }
    }

    struct Profile: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the profile of each file as one JSON object a line.",
            discussion: """
                Fields: file, n, acf (lags 0-40), ljungBox, pacf (lags 0-20), adf, adfTrend, kpss, kpssTrend, verdict, seasonality with periods in \
                samples. Numbers in full precision; scripts/golden.py computes the same with statsmodels.

                Example:
                  almanac evaluate profile --data series/ --step 60s
                """)

        @OptionGroup var input: Data

        func run() throws {
            _ = try input.milliseconds(input.step, "--step")
            for file in try ValueFile.read(below: input.data) { Output.line(ProfileEvaluation.json(file).jsonText) }
        }
    }

    struct Forecast: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forecast each file from several origins and write forecasts beside what came, as CSV.",
            discussion: """
                Rows: series,origin,kind,step,actual,mean and eleven quantiles; kind is path (step 1..h) or max, min, avg of the horizon (step 0). \
                `origin` is the index of the first value forecast; nothing from it on is known to the forecast.

                Example:
                  almanac evaluate forecast --data series/ --step 60s --context 2880 --horizon 10m --origins 12 --csv out.csv
                """)

        @OptionGroup var input: Data

        @Option(help: "Values before each origin.")
        var context = 2_880

        @Option(help: ArgumentHelp("How far to forecast.", valueName: "duration"))
        var horizon = "10m"

        @Option(help: "Origins in each file, evenly spaced.")
        var origins = 12

        @Option(help: ArgumentHelp("The file to write; - for standard output.", valueName: "file"))
        var csv = "-"

        func run() throws {
            let step = try input.milliseconds(input.step, "--step")
            let length = try input.milliseconds(horizon, "--horizon")
            guard length >= step, length % step == 0 else {
                throw ValidationError("--horizon \(horizon): must be a multiple of --step \(input.step)")
            }
            guard context > 0, origins > 0 else { throw ValidationError("--context and --origins must be positive") }
            let evaluation = ForecastEvaluation(context: context, horizon: Int(length / step), origins: origins)
            var lines = [ForecastEvaluation.header]
            for file in try ValueFile.read(below: input.data) { lines += evaluation.rows(file) }
            let text = lines.joined(separator: "\n") + "\n"
            if csv == "-" { return Output.text(text) }
            do { try text.write(toFile: csv, atomically: true, encoding: .utf8) } catch {
                throw Failure("\(csv) cannot be written: \(error.localizedDescription)")
            }
        }
    }
}
