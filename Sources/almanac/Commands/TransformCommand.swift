import ArgumentParser
import Backfilling
import Glibc
import History

struct TransformCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transform",
        abstract: "The analysis of history as a filter: samples from standard input, results to standard output.",
        discussion: """
            Input: one sample a line, SERIES, TIME in epoch milliseconds and VALUE between tabs; rows of one series together, in order of \
            time. Output: one result a line, 13 columns between tabs (docs/formats/transform.md). Exit code 65 at a bad row.

            Examples:
              sort -t $'\\t' -s -k1,1 -k2,2n samples.tsv | almanac transform --every 5m > results.tsv
              SELECT TRANSFORM(series, time, value) USING 'almanac transform --profiles none' AS (...)   in Spark SQL

            With --chunks the rows are sealed chunks of the raw archive: SERIES, TYPE, START and the chunk in base64 between tabs. backfill \
            --spark sends such rows to the executors.
            """)

    @OptionGroup var history: HistoryArguments

    @Flag(help: "Rows have a fourth column: gauge, counter or unknown.")
    var typeColumn = false

    @Flag(help: "Rows are sealed chunks of the raw archive.")
    var chunks = false

    @Option(help: ArgumentHelp("What a bad row does: fail or skip.", valueName: "what"))
    var badRows = BadRows.fail

    /// Of sysexits.h: the input was wrong.
    private static let dataError = ExitCode(65)

    func validate() throws {
        if chunks, typeColumn { throw ValidationError("--type-column: rows of --chunks have a type in any case") }
    }

    func run() throws {
        let options = try history.options()
        if chunks {
            var filter = ChunkFilter(options: options)
            return try TransformCommand.end(&filter)
        }
        let badRows = BadRowReport(badRows)
        var filter = try TransformFilter(options: options, hasTypeColumn: typeColumn, badRows: badRows)
        try TransformCommand.end(&filter)
        if badRows.count > 0 {
            Output.error("\(Count.text(badRows.count, "bad row", "bad rows")) left out: \(badRows.notes.joined(separator: "; "))")
        }
    }

    /// From the beginning of the input to its end.
    private static func end(_ filter: inout some HistoryFilter) throws {
        do {
            try pump(&filter)
        } catch let error as BackfillError where error.code == .badRow {
            Output.error(Failure(error.message).description)
            throw TransformCommand.dataError
        }
        if filter.conflicts > 0 {
            Output.error("\(Count.text(filter.conflicts, "sample", "samples")) left out: another value of the same time came before")
        }
    }

    private static func pump(_ filter: inout some HistoryFilter) throws {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let n = read(STDIN_FILENO, &buffer, buffer.count)
            if n < 0 && errno == EINTR { continue }
            if n < 0 { throw Failure("standard input cannot be read: \(String(cString: strerror(errno)))") }
            if n == 0 { break }
            try filter.feed(buffer[0..<n])
            if filter.output.bytes.count >= 1 << 16 { try write(&filter) }
        }
        try filter.finish()
        try write(&filter)
    }

    private static func write(_ filter: inout some HistoryFilter) throws {
        try filter.output.bytes.withUnsafeBytes { raw in
            var at = 0
            while at < raw.count {
                let n = Glibc.write(STDOUT_FILENO, raw.baseAddress.map { $0 + at }, raw.count - at)
                if n < 0 && errno == EINTR { continue }
                if n < 0 { throw Failure("standard output cannot be written: \(String(cString: strerror(errno)))") }
                at += n
            }
        }
        filter.output.bytes.removeAll(keepingCapacity: true)
    }
}

extension BadRows: ExpressibleByArgument {}
