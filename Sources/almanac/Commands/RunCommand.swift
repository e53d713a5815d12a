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
              almanac run --set 'collect.scrape=[{job: app, targets: [app:9100]}]'
            """)

    @OptionGroup var options: NodeOptions

    func run() async throws { try await options.run(roles: Set(Role.allCases)) }
}
