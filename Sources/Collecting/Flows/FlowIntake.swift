import Flows
import Messaging
import TimeSeries

/// Takes the records of flows that come by requests.
package final class FlowIntake: Sendable {
    package struct Answer: Sendable, Equatable {
        /// Records that became samples; durable now.
        package var accepted: Int
        /// Records that a filter held back.
        package var dropped: Int
        package var rejected: Int
        /// The first of the rejected, counted from 1.
        package var errors: [FlowTally.Refusal]
    }

    package enum Failure: Error, Equatable, CustomStringConvertible {
        case unknownFlow(String)
        /// What it waits for.
        case notReady(String)

        package var description: String {
            switch self {
            case .unknownFlow(let name): return "there is no flow \"\(name)\" that takes requests"
            case .notReady(let part): return "the flow waits for \(part)"
            }
        }
    }

    private let desks: [String: Desk]
    private let joins: JoinLoader
    private let clock: any WallClock
    private let log: any MessageLog

    init(_ contexts: [FlowContext], joins: JoinLoader, environment: CollectEnvironment, log: any MessageLog) throws(FlowProblem) {
        var desks: [String: Desk] = [:]
        for context in contexts { desks[context.definition.name] = Desk(try context.line()) }
        self.desks = desks
        self.joins = joins
        self.log = log
        clock = environment.clock
    }

    /// The flows that take requests.
    package var flows: [String] { desks.keys.sorted() }

    /// Returns when all samples of the body are durable. Throws `Failure`, or `MessagingError` when the log did not take them: the whole body
    /// may then be sent again.
    package func accept(flow: String, body: [UInt8]) async throws -> Answer {
        guard let desk = desks[flow] else { throw Failure.unknownFlow(flow) }
        if let part = joins.waitingFor { throw Failure.notReady(part) }
        let (tally, records) = await desk.take(body, now: clock.now())
        if !records.records.isEmpty { try await log.produce(records.records) }
        return Answer(accepted: tally.accepted, dropped: tally.dropped, rejected: tally.rejected, errors: tally.refusals)
    }

    /// One flow: bodies are mapped one after another, and produced side by side.
    private actor Desk {
        private var line: FlowLine

        init(_ line: sending FlowLine) { self.line = line }

        func take(_ body: [UInt8], now: Milliseconds) -> (FlowTally, ScrapeRecords) {
            var tally = line.take(body, arrival: now, now: now)
            tally.samples = []
            return (tally, line.records(now: now))
        }
    }
}
