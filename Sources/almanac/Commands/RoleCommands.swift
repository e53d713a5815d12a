import ArgumentParser

// Each role as a process of its own, beside others of its kind. What they share stands in the configuration: messaging, store, coordination.

struct CollectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "collect",
        abstract: "Collect only: scrape the targets, read Prometheus servers, write samples to Kafka.",
        discussion: "Several collectors divide the targets through ZooKeeper, or by coordination.shard. See docs/OPERATIONS.md.")

    @OptionGroup var options: NodeOptions

    func run() async throws { try await options.run(roles: [.collect]) }
}

struct AnalyzeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "analyze",
        abstract: "Analyse only: windows, profiles, forecasts and anomalies of the partitions this process is given.",
        discussion: "Several analyzers divide the partitions; one that comes or goes loses nothing. No local disk is needed.")

    @OptionGroup var options: NodeOptions

    func run() async throws { try await options.run(roles: [.analyze]) }
}

struct StoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Store only: write results and chunks from Kafka into the database.",
        discussion: "Several stores divide the partitions. Offsets are committed after the database has committed.")

    @OptionGroup var options: NodeOptions

    func run() async throws { try await options.run(roles: [.store]) }
}

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve only: the dashboard and the API from the database and the live topics.",
        discussion: "Any number of them give the same answers.")

    @OptionGroup var options: NodeOptions

    func run() async throws { try await options.run(roles: [.serve]) }
}
