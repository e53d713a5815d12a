import ArgumentParser
import Foundation
import Records
import Settings
import TimeSeries

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Run the analysis over files of data, so that others can check its numbers.",
        subcommands: [Profile.self, Forecast.self, Anomalies.self])

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
                samples, burg (order 10), windows (the last 240 and 720 values); with --period also stl and decompose. Numbers in full \
                precision; scripts/golden.py computes the same with statsmodels and compares.

                Example:
                  almanac evaluate profile --data series/ --step 60s
                """)

        @OptionGroup var input: Data

        @Option(help: ArgumentHelp("Decompose with this period too.", valueName: "samples"))
        var period: Int?

        func run() throws {
            _ = try input.milliseconds(input.step, "--step")
            if let period, period < 2 { throw ValidationError("--period \(period): give a number of samples, at least 2") }
            for file in try ValueFile.read(below: input.data) { Output.line(ProfileEvaluation.json(file, period: period).jsonText) }
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

        @Flag(help: "Go through each file value by value as the product does: a fit every 15 values, calibration in between.")
        var online = false

        @Option(help: ArgumentHelp("The file to write; - for standard output.", valueName: "file"))
        var csv = "-"

        func run() throws {
            let step = try input.milliseconds(input.step, "--step")
            let length = try input.milliseconds(horizon, "--horizon")
            guard length >= step, length % step == 0 else {
                throw ValidationError("--horizon \(horizon): must be a multiple of --step \(input.step)")
            }
            guard context > 0, origins > 0 else { throw ValidationError("--context and --origins must be positive") }
            guard length / step <= 1_440 else {
                throw ValidationError("--horizon \(horizon): is \(length / step) steps of \(input.step); at most 1440 are forecast")
            }
            guard context <= 1 << 40 else { throw ValidationError("--context \(context): no file has as many values") }
            let evaluation = ForecastEvaluation(
                context: context, horizon: Int(length / step), origins: origins, step: step, online: online)
            var lines = [ForecastEvaluation.header]
            for file in try ValueFile.read(below: input.data) {
                let rows = evaluation.rows(file)
                if rows.isEmpty {
                    Output.error(
                        "\(file.name): no forecast: \(file.values.count) values, \(context) + \(length / step) are needed, those of a horizon "
                            + "without a gap")
                }
                lines += rows
            }
            let text = lines.joined(separator: "\n") + "\n"
            if csv == "-" { return Output.text(text) }
            do { try text.write(toFile: csv, atomically: true, encoding: .utf8) } catch {
                throw Failure("\(csv) cannot be written: \(error.localizedDescription)")
            }
        }
    }

    struct Anomalies: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Score every row of each file for being an anomaly, streaming, as CSV.",
            discussion: """
                Reads every CSV file with the header 'timestamp,value' below --data, row by row in order, and writes timestamp,value,anomaly_score at the same \
                path below --out. The score is in 0-1: -log10 p / 10 where a row is news, 0 where it belongs to what was just reported. The parameters are the \
                product's defaults; no file is treated apart. scripts/nab-score.py scores the result as the Numenta Anomaly Benchmark does.

                Example:
                  almanac evaluate anomalies --data nab/ --out scores/
                """)

        @Option(
            help: ArgumentHelp("A folder; every CSV file below it with the header 'timestamp,value' is read.", valueName: "dir"))
        var data: String

        @Option(help: ArgumentHelp("The folder to write to; it is made if missing.", valueName: "dir"))
        var out: String

        func run() throws {
            func whole(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path + "/" }
            guard !whole(out).hasPrefix(whole(data)) else {
                throw ValidationError("--out \(out): must be outside of --data, whose files it would replace or join")
            }
            let (files, summary) = try AnomalyEvaluation().run(data: data, out: out)
            Output.line("\(files) files, \(summary.rows) rows, \(summary.incidents) incidents at the default rate")
        }
    }
}
