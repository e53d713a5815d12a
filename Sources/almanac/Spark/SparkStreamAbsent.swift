#if !Spark
    import ArgumentParser

    /// Stands where builds with the trait Spark have the command.
    struct SparkStreamCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "spark-stream", abstract: "The traffic's totals and windows on a Spark cluster; needs a build with --traits Spark."
        )

        @Argument(parsing: .allUnrecognized, help: "As builds with the trait Spark take them.")
        var arguments: [String] = []

        func run() throws { throw Failure("spark-stream: this build has no Spark client; build with: swift build --traits Spark") }
    }
#endif
