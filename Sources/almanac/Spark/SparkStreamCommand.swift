#if Spark
    import ArgumentParser
    import Foundation
    import SparkClient
    import Settings
    import SparkJobs
    import TimeSeries
    import Traffic

    struct SparkStreamCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "spark-stream",
            abstract: "The traffic's totals and windows as streaming queries on a Spark cluster.",
            discussion: """
                Starts, through Spark Connect, one query each for the windows, the totals of days, the totals since the start (only to Kafka, \
                as files take no updates) and the events that are none. Results are values of the topic trafficdata, which `almanac store` \
                takes; windows and days come once, when they are over. The queries stop with this program; started again with the same \
                --checkpoint they go on where they were.

                Examples:
                  almanac spark-stream --spark sc://spark:15002 --input kafka:kafka:9092/iot-data-event --output kafka:kafka:9092/trafficdata \
                --checkpoint s3a://bucket/traffic
                  almanac spark-stream --spark sc://localhost --input files:/data/events --output files:/data/traffic \
                --checkpoint /data/checkpoint --available-now
                """)

        @Option(help: ArgumentHelp("The Spark Connect server.", valueName: "sc://host:port"))
        var spark: String

        @Option(help: ArgumentHelp("Events: kafka:HOST:PORT/TOPIC, or files:DIR with one a line.", valueName: "input"))
        var input: String

        @Option(help: ArgumentHelp("Results: kafka:HOST:PORT/TOPIC or files:DIR.", valueName: "output"))
        var output: String

        @Option(help: ArgumentHelp("A folder that all executors reach, for what the queries have to remember.", valueName: "dir"))
        var checkpoint: String

        @Flag(name: [.customLong("available-now"), .customLong("once")], help: "Take all there is, then end.")
        var availableNow = false

        @Option(help: ArgumentHelp("Between two batches.", valueName: "duration"))
        var every = DurationArgument(milliseconds: 10_000)

        @Option(help: ArgumentHelp("A window's length and slide; may be repeated.", valueName: "length/slide"))
        var window: [WindowArgument] = [WindowArgument(length: 30_000, slide: 10_000)]

        @Option(
            help: ArgumentHelp(
                "How far behind the newest event one still counts; windows and days come this much later.", valueName: "duration"))
        var allowedLateness = DurationArgument(milliseconds: 600_000)

        @Option(help: ArgumentHelp("Time zone of days, and of timestamps without an offset.", valueName: "zone"))
        var zone = "UTC"

        @Option(help: ArgumentHelp("Another zone for the days of one route; may be repeated.", valueName: "route=zone"))
        var routeZone: [String] = []

        @Option(help: ArgumentHelp("Events with less fuel count as low.", valueName: "percent"))
        var lowFuel = 15.0

        @Option(help: ArgumentHelp("Of the results' revisions: those of a higher epoch replace those before.", valueName: "number"))
        var epoch: Int64 = 0

        @Option(
            help: ArgumentHelp(
                "An option of Spark's Kafka source and sink, such as kafka.security.protocol; may be repeated.", valueName: "name=value"))
        var kafkaOption: [String] = []

        func validate() throws {
            guard (0..<(1 << 19)).contains(epoch) else { throw ValidationError("--epoch \(epoch): give a number from 0 to 524287") }
            guard lowFuel.isFinite, lowFuel >= 0 else { throw ValidationError("--low-fuel \(lowFuel): give a percentage") }
            guard !checkpoint.isEmpty else { throw ValidationError("--checkpoint is empty: give a folder") }
            _ = try queries()
            _ = try pairs(kafkaOption, "--kafka-option")
        }

        func run() async throws {
            do {
                let queries = try queries()
                let run = SparkStreamRun(
                    queries: queries, input: try StreamEnd(input), output: try StreamEnd(output), checkpoint: checkpoint,
                    trigger: availableNow ? .availableNow : .every(every.milliseconds), kafka: try pairs(kafkaOption, "--kafka-option"))
                try await run.run(on: try SparkURL(spark))
            } catch let error as SparkURLError {
                throw Failure("--spark: \(error)")
            } catch let error as SparkJobError {
                throw Failure("\(error)")
            } catch let error as SparkError {
                throw Failure("Spark: \(error)")
            }
        }

        private func queries() throws -> TrafficQueries {
            var queries = TrafficQueries()
            queries.windows = window.map { .init(length: $0.length, slide: $0.slide) }
            queries.allowedLateness = allowedLateness.milliseconds
            queries.zone = zone
            queries.routeZones = try pairs(routeZone, "--route-zone")
            for name in [zone] + queries.routeZones.values.sorted() where !ZoneTable.isKnown(name) {
                throw ValidationError("'\(name)' is no time zone: give a name such as Europe/Rome")
            }
            queries.lowFuel = lowFuel
            queries.epoch = epoch
            return queries
        }

        private func pairs(_ texts: [String], _ option: String) throws -> [String: String] {
            var pairs: [String: String] = [:]
            for text in texts {
                guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
                    throw ValidationError("\(option) '\(text.prefix { $0 != "=" })': give name=value")
                }
                pairs[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            return pairs
        }
    }

    /// `30s/10s`.
    struct WindowArgument: ExpressibleByArgument, CustomStringConvertible {
        var length: Milliseconds
        var slide: Milliseconds

        init(length: Milliseconds, slide: Milliseconds) {
            self.length = length
            self.slide = slide
        }

        init?(argument: String) {
            let parts = argument.split(separator: "/").map { DurationArgument(argument: String($0))?.milliseconds }
            guard parts.count == 2, let length = parts[0], let slide = parts[1], length % slide == 0 else { return nil }
            self.init(length: length, slide: slide)
        }

        var description: String { "\(DurationText.format(length))/\(DurationText.format(slide))" }
        var defaultValueDescription: String { description }
    }
#endif
