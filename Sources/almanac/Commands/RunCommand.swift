import ArgumentParser

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Collect, analyse, store and serve, all in this process.",
        discussion: """
            With nothing configured it watches the machine it stands on, keeps its data in ./data and serves http://127.0.0.1:5002/. \
            A configuration file, ALMANAC_... variables and the flags here change that; flags beat variables beat the file. \
            SIGTERM or Ctrl-C ends it within 10 seconds, SIGHUP reads the configuration again.

            Examples:
              almanac run
              almanac run --config almanac.yaml
              almanac run --listen 127.0.0.1:5003 --data /var/lib/almanac
              almanac run --set collect.interval=5s
              almanac run --simulate 100
              almanac run --set 'collect.scrape=[{job: app, targets: [app:9100]}]'
            """)

    @OptionGroup var options: NodeOptions

    @Option(help: ArgumentHelp("A fleet of as many simulated vehicles that reports all the time, to look around.", valueName: "vehicles"))
    var simulate: Int?

    func validate() throws {
        guard (1...100_000).contains(simulate ?? 1) else { throw ValidationError("--simulate: give 1 to 100000 vehicles") }
    }

    func run() async throws { try await options.run(roles: Set(Role.allCases), simulatedVehicles: simulate) }
}
