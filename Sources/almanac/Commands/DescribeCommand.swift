import ArgumentParser
import Glibc
import Records
import Settings
import TimeSeries

struct DescribeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe",
        abstract: "Describe a series in a CSV file: statistics, character, forecast, with a plot.",
        discussion: """
            Reads CSV with or without a header, separated by comma, semicolon or tab, or simply one value per line. Columns of times and \
            values are found by themselves or named by --time and --column. Times are ISO 8601 (UTC if they say nothing), or seconds or \
            milliseconds since 1970. Missing values and gaps are allowed and told.

            Examples:
              almanac describe requests.csv
              almanac describe requests.csv --column p99 --horizon 1h
              almanac describe - --step 15s < values.txt
              almanac describe requests.csv --decompose
              almanac describe requests.csv --period 1d --json | jq .decomposition.stl.trend
              almanac describe requests.csv --json | jq .forecast.max
            """)

    @Argument(
        help: ArgumentHelp("The file; - for standard input.", valueName: "file"), completion: .file(extensions: ["csv", "tsv", "txt"]))
    var file: String

    @Option(help: ArgumentHelp("The column of values: its name, or its number from 1.", valueName: "name"))
    var column: String?

    @Option(help: ArgumentHelp("The column of times: its name, or its number from 1.", valueName: "column"))
    var time: String?

    @Option(
        help: ArgumentHelp(
            "Time between two values; the default is the usual distance of the times, without times 60s.", valueName: "duration"))
    var step: DurationArgument?

    @Option(help: ArgumentHelp("How far ahead to look.", valueName: "duration"))
    var horizon = DurationArgument(milliseconds: 600_000)

    @Flag(help: "Take the series apart into trend, cycles and remainder: by STL, and classically by moving averages.")
    var decompose = false

    @Option(
        help: ArgumentHelp("Take it apart by a cycle of this length; the default are the cycles that were found.", valueName: "duration"))
    var period: DurationArgument?

    @Flag(help: "Print JSON.")
    var json = false

    @Flag(help: "Plot in plain ASCII.")
    var ascii = false

    func run() throws {
        let name = file == "-" ? "standard input" : file
        do {
            let series = try SeriesFile.read(file, column: column, timeColumn: time)
            let choice = period.map { SeriesDecomposition.Choice.period($0.milliseconds) } ?? (decompose ? .found : nil)
            let description = try SeriesDescription.make(
                series, name: name, step: step?.milliseconds, horizon: horizon.milliseconds, decompose: choice)
            if json {
                Output.line(description.json.jsonText)
            } else {
                let style = TerminalStyle.detect(environment: Output.environment, forceASCII: ascii)
                Output.text(DescriptionText(description: description, style: style).render())
            }
        } catch let error as CSVError {
            throw Failure("\(name): \(error)")
        } catch let error as CSVParser.Failure {
            throw Failure("\(name): \(error)")
        }
    }
}

/// `15s`, `5m`, `1h30m` on the command line.
struct DurationArgument: ExpressibleByArgument, CustomStringConvertible {
    var milliseconds: Milliseconds

    init(milliseconds: Milliseconds) { self.milliseconds = milliseconds }

    /// 10 years bound every product with a number of steps.
    init?(argument: String) {
        guard let value = DurationText.parse(argument), value > 0, value <= 3650 * 86_400_000 else { return nil }
        milliseconds = value
    }

    var description: String { DurationText.format(milliseconds) }
    var defaultValueDescription: String { description }
}

/// Reads a file or standard input, piece by piece.
enum SeriesFile {
    static func read(_ path: String, column: String?, timeColumn: String?) throws -> CSVSeries {
        let fd = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw CSVError(description: String(cString: strerror(errno))) }
        defer { if fd != STDIN_FILENO { close(fd) } }
        var reader = CSVSeriesReader(column: column, timeColumn: timeColumn)
        var parser: CSVParser?
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let n = Glibc.read(fd, &buffer, buffer.count)
            if n < 0 && errno == EINTR { continue }
            guard n >= 0 else { throw CSVError(description: String(cString: strerror(errno))) }
            if n == 0 { break }
            var piece = buffer[0..<n]
            if parser == nil {
                if piece.starts(with: [0xEF, 0xBB, 0xBF]) { piece = piece.dropFirst(3) }
                parser = CSVParser(delimiter: CSVParser.detectDelimiter(piece))
            }
            try parser?.feed(piece) { try reader.add($0) }
        }
        try parser?.finish { try reader.add($0) }
        return try reader.finish()
    }
}
