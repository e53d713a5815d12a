import Messaging
import TimeSeries
import TrafficSimulation

/// A fleet that drives as long as the process runs: `almanac run --simulate 100`.
struct LiveFleet: Sendable {
    let vehicles: Int
    let log: any MessageLog
    let topic: String

    /// Works until its task is cancelled.
    func run() async throws {
        var options = SimulationOptions()
        options.fleet.vehicles = vehicles
        options.fleet.start = SystemClock().now()
        let simulation: Simulation
        do { simulation = try Simulation(options) } catch { throw Failure("\(error)") }
        var run = SimulationRun(
            simulation: simulation, plan: SimulationPlan(options: options, end: nil, events: nil, speed: 1),
            sink: LogSink(log: log, topic: topic),
            batch: 1_000, truth: nil, status: .nowhere)
        try await run.run(isEnding: { Task.isCancelled })
    }
}
