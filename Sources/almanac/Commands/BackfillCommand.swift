import ArgumentParser
import Backfilling
import Glibc
import History
import Serving
import Settings
import Storage
import TimeSeries

struct BackfillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backfill",
        abstract: "Analyse months of history: on all cores of this machine, or on a Spark cluster.",
        discussion: """
            Input: a CSV file, a folder or a pattern; a .tsv file as `almanac transform` reads it; store (of the configuration), sqlite:PATH, \
            prometheus:http://host:port. Output: files:DIR, store or topic (of the configuration). A job that was ended, in whatever way, \
            goes on when it is started again with the same arguments. docs/formats/transform.md has the forms.

            Examples:
              almanac backfill --input samples.csv --output files:out
              almanac backfill --input 'days/*.csv' --output store --config almanac.yaml --every 1m --quantiles
              almanac backfill --input sqlite:data/almanac.db --match '{job="node"}' --output files:out --forecasts 1h
              almanac backfill --input prometheus:http://localhost:9090 --from 2026-01-01 --to 2026-02-01 --output store
              almanac backfill --spark sc://spark:15002 --input samples.parquet --output files:out
              almanac backfill --spark sc://spark:15002 --input store --output topic --config almanac.yaml
            """)

    @Flag(help: "On this machine, which is the default.")
    var local = false

    @Option(help: ArgumentHelp("On the Spark cluster behind this Connect server.", valueName: "sc://host:port"))
    var spark: String?

    @Option(help: ArgumentHelp("Where the samples are.", valueName: "input"))
    var input: String

    @Option(help: ArgumentHelp("Where the results go: files:DIR, store or topic.", valueName: "output"))
    var output: String

    @OptionGroup var history: HistoryArguments

    @Option(help: ArgumentHelp("Only these series, as name{label=\"value\"}; may be repeated.", valueName: "selector"))
    var match: [String] = []

    @Option(help: ArgumentHelp("Workers; the default is one for each core.", valueName: "number"))
    var jobs: Int?

    @Option(
        help: ArgumentHelp(
            "Where the job notes what is done; default: .state in the output's folder, else almanac-backfill.", valueName: "dir"))
    var state: String?

    @Option(help: ArgumentHelp("What a bad row does: fail or skip.", valueName: "what"))
    var badRows = BadRows.fail

    @Option(help: ArgumentHelp("Of files without times: the distance of rows.", valueName: "duration"))
    var step: DurationArgument?

    @Option(help: ArgumentHelp("Of files without times: the time of the first row; default 1970-01-01.", valueName: "time"))
    var start: TimeArgument?

    #if Spark
        @OptionGroup(title: "With --spark") var sparkArguments: SparkArguments
    #endif

    @Option(
        help: ArgumentHelp("The configuration file (variable ALMANAC_CONFIG).", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"]))
    var config: String?

    @Option(name: .customLong("set"), help: ArgumentHelp("Any key of the configuration; may be repeated.", valueName: "key=value"))
    var values: [String] = []

    func validate() throws {
        if local, spark != nil { throw ValidationError("give --local or --spark, not both") }
        if let jobs, !(1...1024).contains(jobs) { throw ValidationError("--jobs \(jobs): give a number from 1 to 1024") }
        _ = try history.options()
        _ = try selectors()
    }

    func run() async throws {
        do {
            try await start(try setup())
        } catch let error as BackfillError {
            throw Failure(error.message)
        } catch let error as StorageError {
            throw Failure(error.message)
        }
    }

    /// Each selector's matchers.
    func selectors() throws -> [[LabelMatcher]] {
        try match.map { text in
            do { return try SelectorParser.parse(text) } catch {
                throw ValidationError("--match \(text): \(error)")
            }
        }
    }

    private func setup() throws -> BackfillSetup {
        // Said before anything is opened.
        if spark == nil { _ = try BackfillOutput(output) }
        let path = config ?? Output.environment["ALMANAC_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        let loaded = Configuration.load(path: path, environment: Output.environment, flags: try SettingFlags.parse(values))
        if !loaded.mistakes.isEmpty {
            for mistake in loaded.mistakes { Output.error(mistake.description) }
            throw Failure("the configuration has \(Count.text(loaded.mistakes.count, "mistake", "mistakes")); nothing was done")
        }
        let console = ConsoleLog.start(level: .warning)
        console.hide(loaded.configuration.secrets)
        var job = BackfillJob(input: input, output: output, options: try history.options())
        job.match = match
        job.selectors = try selectors()
        job.badRows = badRows
        if let step { job.details.append(("step", "\(DurationText.format(step.milliseconds)) from \(start?.milliseconds ?? 0)")) }
        return BackfillSetup(
            job: job, configuration: loaded.configuration, jobs: jobs ?? max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))),
            stateDirectory: try stateDirectory(), grid: step.map { (start?.milliseconds ?? 0, $0.milliseconds) })
    }

    private func stateDirectory() throws -> String {
        if let state { return state }
        // Results that stay on the cluster: spark:PATH.
        if spark != nil, output.hasPrefix("spark:") { return "almanac-backfill" }
        guard case .files(let directory) = try BackfillOutput(output) else { return "almanac-backfill" }
        return directory + "/.state"
    }

    private func start(_ setup: BackfillSetup) async throws {
        guard let spark else { return try await BackfillRun(setup).runLocally() }
        #if Spark
            // Provided beside the Spark client: computes the parts on the cluster, feeds their lines into the setup's sink, notes them in the
            // setup's journal.
            try await SparkBackfill.run(setup, on: spark, arguments: sparkArguments)
        #else
            throw Failure("--spark \(spark): this build has no Spark client; build with: swift build --traits Spark")
        #endif
    }
}
