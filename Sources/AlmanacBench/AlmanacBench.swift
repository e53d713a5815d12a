import Glibc

/// The benchmarks that the README quotes. Build in release: `make bench`. Names as arguments choose some: windows, line, memory,
/// profile, forecast, traffic, kafka, mysql, and simulation, which takes minutes and runs only when it is named.
@main
struct AlmanacBench {
    static func main() async {
        do { try await run() } catch {
            print("almanac-bench: \(error)")
            exit(1)
        }
    }

    private static func run() async throws {
        let chosen = Set(CommandLine.arguments.dropFirst())
        func isChosen(_ name: String) -> Bool { chosen.isEmpty || chosen.contains(name) }
        var report = Report()
        if isChosen("windows") { windowBenchmarks(&report) }
        if isChosen("profile") { profileBenchmarks(&report) }
        if isChosen("forecast") { forecastBenchmarks(&report) }
        if isChosen("traffic") { trafficBenchmarks(&report) }
        if isChosen("line") { try await lineBenchmark(&report) }
        if isChosen("memory") { try memoryBenchmark(&report) }
        if isChosen("kafka") { try await kafkaBenchmark(&report) }
        if isChosen("mysql") { try await mysqlBenchmark(&report) }
        if chosen.contains("simulation") { try simulationBenchmark(&report) }
    }
}
