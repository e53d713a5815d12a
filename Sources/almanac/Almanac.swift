import ArgumentParser
import Glibc

@main
struct Almanac: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "almanac",
        abstract: "Tells what has been, what things are like, and what comes next, for every metric.",
        discussion: """
            Sliding-window statistics, the character of each series, and a forecast with intervals, continuously. With nothing \
            configured it watches the machine it stands on.

            Examples:
              almanac run                      live, at http://127.0.0.1:5002/
              almanac describe requests.csv    the same analysis of a file
              almanac check almanac.yaml       every mistake, with its line
            """,
        version: Version.text,
        subcommands: [
            RunCommand.self, CollectCommand.self, AnalyzeCommand.self, StoreCommand.self, ServeCommand.self, ExporterCommand.self,
            SimulateCommand.self, ReplayCommand.self, InitCommand.self, CheckCommand.self, ConfigCommand.self, ProbeCommand.self,
            DescribeCommand.self, EvaluateCommand.self,
            TransformCommand.self, BackfillCommand.self, SparkStreamCommand.self, VersionCommand.self,
        ])

    /// Errors of this program are one line on standard error and code 1; those of the command line are ArgumentParser's.
    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let failure as Failure {
            Output.error("almanac: \(failure)")
            Glibc.exit(1)
        } catch {
            exit(withError: error)
        }
    }
}
