import Coordination
import Logging
import Messaging
import Synchronization
import Telemetry
import TimeSeries

/// Reads one Prometheus server: first the past, piece by piece from old to new, then what is new in every interval.
/// It keeps asking for ever; what the log has not taken is not passed over.
final class PrometheusWorker: Sendable {
    /// How far ahead of this machine's clock a server is believed: what analyzers take.
    private static let mostAhead: Milliseconds = 600_000

    let options: PrometheusOptions
    private let context: WorkerContext
    private let state: Mutex<SourceStatus>
    private let endsSeries = Mutex(false)

    init(_ options: PrometheusOptions, context: WorkerContext) {
        self.options = options
        self.context = context
        state = Mutex(
            SourceStatus(
                kind: .prometheus, job: "prometheus", instance: HTTPAddress(options.baseURL)?.instance ?? options.baseURL,
                url: options.displayURL))
    }

    var status: SourceStatus { state.withLock { $0 } }

    func endSeries() { endsSeries.withLock { $0 = true } }

    func run() async {
        var progress = Progress(reader: PrometheusReader(options, topic: context.topic))
        let schedule = ScrapeSchedule(name: options.id, interval: options.interval)
        var backoff = Backoff(first: 1_000, limit: 60_000)
        var client: PrometheusClient?
        while !Task.isCancelled {
            let wait: Milliseconds
            do {
                guard context.coordinator.owns(options.baseURL) else {
                    progress = Progress(reader: PrometheusReader(options, topic: context.topic))
                    state.withLock { $0.health = .elsewhere }
                    try await context.environment.sleep(options.interval)
                    continue
                }
                let connected = try client ?? PrometheusClient(options, metrics: context.environment.metrics)
                client = connected
                try await round(connected, &progress)
                backoff.reset()
                let now = context.environment.clock.now()
                wait = schedule.slot(after: now) - now
            } catch {
                if Task.isCancelled { break }
                wait = backoff.next()
                noteFailure(error, wait)
            }
            do { try await context.environment.sleep(wait) } catch { break }
        }
        await client?.close()
        await finish(&progress)
    }

    /// How far the source has come.
    private struct Progress {
        var reader: PrometheusReader
        /// All samples up to here have been sent; nil before the first round.
        var position: Milliseconds?
        var size = PieceSize()
        /// Whether the past is filled: from then on rounds ask for some of it again.
        var hasCaughtUp = false
        var typesReadAt: Milliseconds?
    }

    /// Brings the source up to the server's present.
    private func round(_ client: PrometheusClient, _ progress: inout Progress) async throws {
        let clock = ContinuousClock()
        let began = clock.now
        let end = try await present(client) - options.lag
        await readTypes(client, &progress)
        var samples = 0
        var position = progress.position ?? min(end, options.resumeFrom ?? (end - options.backfill))
        if position - end > PrometheusWorker.mostAhead {
            // This machine's clock was ahead: nothing would be asked for until it had caught up.
            context.environment.logger.warning(
                "\(options.displayURL): was read up to \((position - end) / 1_000) s ahead of now; going on from now")
            position = end
            progress.position = end
        }
        while position < end {
            if !context.coordinator.owns(options.baseURL) { return }
            let to = min(position + progress.size.length, end)
            do {
                let answers = try await answers(client, position: position, upTo: to, overlap: progress.hasCaughtUp ? options.overlap : 0)
                // Lost meanwhile: the new owner asks for the same.
                if !context.coordinator.owns(options.baseURL) { return }
                samples += try await send(answers, upTo: to, &progress)
            } catch let failure as PrometheusFailure where failure.wantsLess {
                guard !progress.size.isSmallest, to - position > PieceSize.smallest else {
                    throw PrometheusFailure.unavailable(
                        "\(failure), even for \((to - position + 999) / 1_000) s; narrow the selectors or raise the server's query limits")
                }
                progress.size.halve()
                context.environment.logger.info("\(options.displayURL): \(failure); asking for \(progress.size.length / 1_000) s at a time")
                continue
            }
            position = to
            progress.position = to
            progress.size.succeeded()
            note(position: to)
        }
        progress.hasCaughtUp = true
        noteSuccess(samples: samples, duration: (clock.now - began) / Duration.seconds(1))
    }

    /// The server's time, as far as it can be: a clock that leaps ahead would let the source stand still until the time has come.
    private func present(_ client: PrometheusClient) async throws -> Milliseconds {
        let theirs = try await client.now()
        let latest = context.environment.clock.now() + PrometheusWorker.mostAhead
        guard theirs > latest else { return theirs }
        if context.firstTime("clock \(options.id)") {
            context.environment.logger.warning(
                "\(options.displayURL): the server's clock is \((theirs - latest + PrometheusWorker.mostAhead) / 1_000) s ahead of this machine's; set one of them right"
            )
        }
        return latest
    }

    /// The answers to all queries for one piece. Nothing of a piece is sent before all of it is there.
    private func answers(
        _ client: PrometheusClient, position: Milliseconds, upTo to: Milliseconds, overlap: Milliseconds
    ) async throws -> [PrometheusReader.Answer] {
        var answers: [PrometheusReader.Answer] = []
        var total = 0
        func add(_ expression: Int, after: Milliseconds, _ columns: MatrixColumns) throws {
            total += columns.values.count
            if total > options.maxPieceSamples {
                throw PrometheusFailure.tooMuch(
                    "\(options.displayURL): all selectors together give more than \(options.maxPieceSamples) samples")
            }
            if columns.histograms > 0, context.firstTime("histograms \(options.id)") {
                context.environment.logger.warning("\(options.displayURL): native histograms have no single value and are left out")
            }
            answers.append(PrometheusReader.Answer(expression: expression, after: after, columns: columns))
        }
        for selector in options.selectors {
            let from = position - overlap
            try add(-1, after: from, try await client.samples(selector, after: from, upTo: to))
        }
        for (i, expression) in options.expressions.enumerated() {
            for steps in closedSteps(expression.step, after: position, upTo: to) {
                let columns = try await client.values(
                    expression.expr, from: steps.lowerBound, through: steps.upperBound, step: expression.step)
                try add(i, after: position, columns)
            }
        }
        return answers
    }

    private func send(_ answers: [PrometheusReader.Answer], upTo to: Milliseconds, _ progress: inout Progress) async throws -> Int {
        let records = progress.reader.records(answers, upTo: to)
        let isTaken = await deliver(
            records.records, samples: records.samples, to: context.log, name: options.displayURL, environment: context.environment)
        guard isTaken else { throw CancellationError() }
        context.environment.metrics.prometheusSamples.add(records.samples)
        return records.samples
    }

    /// The server's metadata, every ten minutes. Without it names decide.
    private func readTypes(_ client: PrometheusClient, _ progress: inout Progress) async {
        let now = context.environment.clock.now()
        if let last = progress.typesReadAt, (0..<600_000).contains(now - last) { return }
        do {
            progress.reader.declared = try await client.types()
            progress.typesReadAt = now
        } catch {
            if context.firstTime("metadata \(options.id)") {
                context.environment.logger.warning("\(options.displayURL): metric types are guessed from names: \(error)")
            }
        }
    }

    private func finish(_ progress: inout Progress) async {
        guard endsSeries.withLock({ $0 }), context.coordinator.owns(options.baseURL), let position = progress.position else { return }
        let records = progress.reader.end(at: position + 1)
        let (context, name) = (context, options.displayURL)
        // Not a child: the end of the series is still sent when this task is cancelled.
        let sender = Task {
            await deliver(records.records, samples: records.samples, to: context.log, name: name, environment: context.environment)
        }
        let deadline = Task {
            try await Task.sleep(for: .milliseconds(context.drainTimeout))
            sender.cancel()
        }
        _ = await sender.value
        deadline.cancel()
    }

    // MARK: What people see

    private func note(position: Milliseconds) {
        context.environment.metrics.prometheusWatermark(options.displayURL).set(Double(position) / 1_000)
        state.withLock { $0.lastScrape = position }
    }

    private func noteSuccess(samples: Int, duration: Double) {
        context.environment.metrics.prometheusUp(options.displayURL).set(1)
        let before = state.withLock { state in
            defer {
                state.health = .up
                state.lastError = nil
                state.samples = samples
                state.lastDuration = duration
            }
            return state.health
        }
        if before != .up {
            context.environment.logger.notice("Prometheus server \(options.displayURL) is read; \(samples) samples in the first round")
        }
    }

    private func noteFailure(_ error: any Error, _ wait: Milliseconds) {
        context.environment.metrics.prometheusUp(options.displayURL).set(0)
        let text = "\(error)"
        let before = state.withLock { state in
            defer {
                state.health = .down
                state.lastError = text
            }
            return state.lastError
        }
        if before != text {
            context.environment.logger.warning(
                "Prometheus server \(options.displayURL) cannot be read, next try in \(wait / 1_000) s: \(text)")
        }
    }
}

extension PrometheusWorker: SourceWorker {
    func isSame(as other: any SourceWorker) -> Bool { (other as? PrometheusWorker)?.options == options }
    func continuesSeries(of other: any SourceWorker) -> Bool { (other as? PrometheusWorker)?.options.id == options.id }
}

/// The multiples of `step` in (from, to], in ranges of at most 10,000: Prometheus allows 11,000 points a series.
func closedSteps(_ step: Milliseconds, after from: Milliseconds, upTo to: Milliseconds) -> [ClosedRange<Milliseconds>] {
    func floor(_ time: Milliseconds) -> Milliseconds { time - ((time % step) + step) % step }
    let last = floor(to)
    var first = floor(from) + step
    var ranges: [ClosedRange<Milliseconds>] = []
    while first <= last {
        let end = min(last, first + 9_999 * step)
        ranges.append(first...end)
        first = end + step
    }
    return ranges
}
