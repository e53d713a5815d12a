#if Spark
    import ArgumentParser
    import SparkJobs

    /// What `backfill --spark` takes beside the options that it shares with `--local`.
    struct SparkArguments: ParsableArguments {
        @Option(
            help: ArgumentHelp(
                "Spark: parts, each a query of its own over a share of the series; a job goes on by whole parts.", valueName: "number"))
        var buckets = 8

        @Option(
            help: ArgumentHelp(
                "Spark: the command that executors start; they must have it, unless --ship-binary brings it.", valueName: "command"))
        var transformCommand = "almanac transform"

        @Option(
            help: ArgumentHelp(
                "Spark: send this program to the executors first, which find it under its file's name; it must run there.",
                valueName: "file"),
            completion: .file())
        var shipBinary: String?

        @Option(help: ArgumentHelp("Spark: the column of whole series in Prometheus notation.", valueName: "name"))
        var seriesColumn: String?

        @Option(help: ArgumentHelp("Spark: the column of metrics' names; all others are labels.", valueName: "name"))
        var metricColumn: String?

        @Option(help: ArgumentHelp("Spark: the column of times.", valueName: "name"))
        var timeColumn: String?

        @Option(help: ArgumentHelp("Spark: the column of values.", valueName: "name"))
        var valueColumn: String?

        var names: BackfillColumns.Names {
            BackfillColumns.Names(series: seriesColumn, time: timeColumn, value: valueColumn, metric: metricColumn)
        }

        func validate() throws {
            guard (1...10_000).contains(buckets) else { throw ValidationError("--buckets \(buckets): give a number from 1 to 10000") }
            if seriesColumn != nil, metricColumn != nil { throw ValidationError("give --series-column or --metric-column, not both") }
        }
    }
#endif
