import Glibc

/// The benchmarks that the README quotes. Build in release: `make bench`. Names as arguments choose some: windows, line, memory,
/// profile, forecast, backfill, traffic, cassandra, kafka, mysql, and simulation, which takes minutes and runs only when it is named;
/// `road-speeds FILE` replays real speeds, `cassandra HOST:PORT ROWS` writes to a node.
@main
struct AlmanacBench {
    static func main() async {
        do { try await run() } catch {
            print("almanac-bench: \(error)")
            exit(1)
        }
    }

    private static func run() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        var report = Report()
        switch (arguments.first, arguments.count) {
        case ("road-speeds", 2): return try roadSpeedsBenchmark(&report, path: arguments[1])
        case ("cassandra", 3): return try await cassandraWriteBenchmark(arguments[1], rows: Int(arguments[2]) ?? 100_000)
        default: break
        }
        let chosen = Set(arguments)
        func isChosen(_ name: String) -> Bool { chosen.isEmpty || chosen.contains(name) }
        if isChosen("windows") { windowBenchmarks(&report) }
        if isChosen("profile") { profileBenchmarks(&report) }
        if isChosen("forecast") { forecastBenchmarks(&report) }
        if isChosen("backfill") { try await backfillBenchmarks(&report) }
        if isChosen("traffic") { trafficBenchmarks(&report) }
        if isChosen("cassandra") { try cassandraBenchmarks(&report) }
        if isChosen("line") { try await lineBenchmark(&report) }
        if isChosen("memory") { try memoryBenchmark(&report) }
        if isChosen("kafka") { try await kafkaBenchmark(&report) }
        if isChosen("mysql") { try await mysqlBenchmark(&report) }
        if chosen.contains("simulation") { try simulationBenchmark(&report) }
    }
}
