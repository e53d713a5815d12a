import Glibc
import Synchronization
import TimeSeries
import TrafficSimulation

/// When a simulation ends, and how fast it goes there.
struct SimulationPlan {
    var options: SimulationOptions
    /// Simulated time; nil: never.
    var end: Milliseconds?
    var events: Int?
    /// Of real time; nil: as fast as it goes.
    var speed: Double?
}

/// Drives a simulation along the wall clock into a sink, tells once a second how far it is, and writes the truth.
struct SimulationRun: Sendable {
    private let begin: ContinuousClock.Instant
    private var simulation: Simulation
    private let end: Milliseconds
    private let limit: Int
    private let speed: Double?
    private let sink: any EventSink
    private let batch: Int
    private let truth: FileSink?
    private let status: Status
    private var sent = 0
    private var told: ContinuousClock.Instant
    private var sentWhenTold = 0

    /// Bytes that are written or posted at once.
    private static let maximumBytes = 1 << 20
    private static let pause = Duration.milliseconds(200)

    /// Where it is told how far it is.
    enum Status { case output, error, nowhere }

    init(simulation: Simulation, plan: SimulationPlan, sink: any EventSink, batch: Int, truth: FileSink?, status: Status) {
        begin = ContinuousClock().now
        told = begin
        self.simulation = simulation
        end = plan.end ?? .max
        limit = plan.events ?? .max
        speed = plan.speed
        self.sink = sink
        self.batch = batch
        self.truth = truth
        self.status = status
    }

    /// Runs to the end, or until the first SIGINT or SIGTERM; then it ends cleanly too.
    func runUntilSignal() async throws {
        let ending = SharedFlag()
        let signals = Signals()
        signals.listen(onEnd: { ending.set() }, onReload: {})
        var run = self
        let result: Result<Void, any Error>
        do {
            result = .success(try await run.run(isEnding: { ending.isSet }))
        } catch {
            result = .failure(error)
        }
        await sink.close()
        try result.get()
    }

    mutating func run(isEnding: @escaping @Sendable () -> Bool) async throws {
        var lines: [UInt8] = []
        var unsent = 0
        do {
            while !isEnding(), sent < limit {
                let (count, isDone) = fill(&lines)
                if count > 0 {
                    unsent = count
                    try await sink.send(lines, isEnding: isEnding)
                    sent += count
                    unsent = 0
                }
                lines.removeAll(keepingCapacity: true)
                try drainTruth()
                tell()
                if isDone { break }
                if speed != nil, count < batch { try? await Task.sleep(for: SimulationRun.pause) }
            }
        } catch is SinkEnded {}
        simulation.finishTruth()
        try drainTruth()
        summarize(unsent: unsent)
    }

    /// The next lines that are due. The end brings what is still on its way.
    private mutating func fill(_ lines: inout [UInt8]) -> (count: Int, isDone: Bool) {
        var target = end
        if let speed {
            let passed = (ContinuousClock().now - begin) / .milliseconds(1) * speed
            target = min(end, simulation.options.fleet.start + Milliseconds(min(passed, 1e15)))
        }
        // A file takes pieces as large as they come.
        let most = min(sink is FileSink ? max(batch, 4096) : batch, limit - sent)
        var count = 0
        while count < most, lines.count < SimulationRun.maximumBytes {
            let written = simulation.write(until: target, limit: min(most - count, 256), &lines)
            count += written
            if written == 0 { break }
        }
        guard count == 0, target >= end else { return (count, false) }
        count = simulation.writeRest(limit: most, &lines)
        return (count, count == 0)
    }

    private mutating func drainTruth() throws {
        guard let truth, let rows = simulation.truth?.rows, !rows.isEmpty else { return }
        simulation.truth?.rows = []
        try truth.write(rows)
    }

    // MARK: - What people see

    private mutating func tell() {
        let now = ContinuousClock().now
        let seconds = (now - told) / .seconds(1)
        guard seconds >= 1 else { return }
        let rate = Double(sent - sentWhenTold) / seconds
        told = now
        sentWhenTold = sent
        show("\(SimulationRun.clock(simulation.time))  \(counts), \(Int(rate.rounded()))/s")
    }

    private func summarize(unsent: Int) {
        let seconds = max(0.001, (ContinuousClock().now - begin) / .seconds(1))
        show(
            "\(sent) events in \(Double(Int(seconds * 10)) / 10) s (\(Int(Double(sent) / seconds))/s), simulated time up to "
                + "\(SimulationRun.clock(simulation.time)): \(counts)")
        if unsent > 0 { Output.error("almanac: the last \(unsent) of them were not acknowledged; a truth counts them") }
    }

    private var counts: String {
        let counts = simulation.counts
        let parts = [
            (counts.duplicates, "duplicates"), (counts.outOfOrder, "out of order"), (counts.late, "late"), (counts.tooLate, "too late"),
            (counts.malformed.reduce(0, +), "malformed"),
        ]
        return (["\(counts.sent) events"] + parts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }).joined(separator: ", ")
    }

    private func show(_ line: String) {
        switch status {
        case .output: Output.line(line)
        case .error: Output.error(line)
        case .nowhere: break
        }
    }

    /// `2026-01-31 12:34:56` by the machine's clock.
    static func clock(_ time: Milliseconds) -> String { String(LocalTime.text(time).prefix { $0 != "," }) }
}

/// Set once, from any thread.
final class SharedFlag: Sendable {
    private let value = Atomic(false)

    var isSet: Bool { value.load(ordering: .acquiring) }

    func set() { value.store(true, ordering: .releasing) }
}
