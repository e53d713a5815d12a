import Backfilling
import Collecting
import Dispatch
import Glibc
import Storage
import Telemetry
import TimeSeries

/// A backfill on this machine from begin to end: opens input and output, shows how far it is, ends cleanly at a signal.
struct BackfillRun {
    private let setup: BackfillSetup

    init(_ setup: BackfillSetup) { self.setup = setup }

    /// Throws `Failure`, `BackfillError`, `StorageError`.
    func runLocally() async throws {
        let badRows = BadRowReport(setup.job.badRows)
        let (input, closeInput) = try await openInput(badRows)
        var job = setup.job
        job.details += input.details + setup.places
        let journal: Journal
        do { journal = try Journal.open(directory: setup.stateDirectory, job: job) } catch {
            await closeInput()
            throw error
        }
        for warning in setup.warnings { Output.error("warning: \(warning)") }
        let output = try await setup.openOutput()
        let progress = BackfillProgress()
        let context = BackfillContext(
            job: job, journal: journal, jobs: setup.jobs, badRows: badRows, progress: progress, directory: setup.stateDirectory)
        let run = LocalBackfill(context, input: input, sink: output.sink)
        let started = ContinuousClock.now
        let result = await ProgressShow(progress).during { try await run.run() }
        await output.sink.close()
        await output.close()
        await closeInput()
        tell(badRows)
        switch result {
        case .success(let summary): report(summary, ContinuousClock.now - started)
        case .failure(let error) where error is CancellationError:
            let snapshot = progress.snapshot
            throw Failure("stopped with \(snapshot.doneParts) of \(snapshot.parts) parts done; the same command goes on from there")
        case .failure(let error as Failure): throw error
        // One line, whichever part it comes from.
        case .failure(let error): throw Failure("\(error)".split(whereSeparator: \.isNewline).joined(separator: " "))
        }
    }

    private func tell(_ badRows: BadRowReport) {
        guard badRows.count > 0, badRows.policy == .skip else { return }
        Output.error("\(Count.text(badRows.count, "bad row", "bad rows")) left out: \(badRows.notes.joined(separator: "; "))")
    }

    private func report(_ summary: BackfillSummary, _ elapsed: Duration) {
        if summary.wasDone {
            return Output.line(setup.nothingLeft(parts: summary.parts))
        }
        if summary.samples == 0 { Output.error("warning: no sample was found: \(setup.emptyHint)") }
        if summary.conflicts > 0 {
            Output.error(
                "\(Count.text(summary.conflicts, "sample", "samples")) left out: another value of the same series and time came before")
        }
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        Output.line(
            "\(summary.parts) parts, \(summary.samples) samples, \(summary.lines) results, \((seconds * 100).rounded() / 100) s; to \(setup.job.output)"
        )
    }

    private func openInput(_ badRows: BadRowReport) async throws -> (any HistoryInput, @Sendable () async -> Void) {
        let job = setup.job
        switch try BackfillInput(job.input) {
        case .files(let path):
            let input = try FilesInput.open(
                path, filter: SeriesFilter(job.selectors), badRows: badRows, grid: setup.grid, directory: setup.stateDirectory,
                output: setup.outputDirectory)
            return (input, {})
        case .store: return archive(try setup.openArchive(.store))
        case .sqlite(let path): return archive(try setup.openArchive(.sqlite(path)))
        case .prometheus(let url):
            let archive = try PrometheusHistory(baseURL: url, metrics: MetricRegistry())
            do {
                return (try PrometheusInput(archive, match: job.match, options: job.options), { await archive.close() })
            } catch {
                await archive.close()
                throw error
            }
        }
    }

    private func archive(_ store: any ResultStore) -> (any HistoryInput, @Sendable () async -> Void) {
        (StoreInput(store: store, selectors: setup.job.selectors, options: setup.job.options), { await store.close() })
    }
}

extension PrometheusHistory: PrometheusArchive {}

/// Shows how far a job is while it runs: a bar that is drawn anew on a terminal, a line every ten seconds elsewhere. A signal cancels the job.
struct ProgressShow {
    private let progress: BackfillProgress
    private let isTerminal = isatty(STDERR_FILENO) == 1

    init(_ progress: BackfillProgress) { self.progress = progress }

    func during<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async -> Result<T, any Error> {
        let work = Task { try await body() }
        Signals().listen(onEnd: { work.cancel() }, onReload: {})
        let show = watch()
        let result = await work.result
        show.cancel()
        if isTerminal { Output.draw("\r\u{1B}[K") }
        return result
    }

    /// On a thread of Dispatch: the workers may have all others.
    private func watch() -> any DispatchSourceTimer {
        let started = ContinuousClock.now
        let pause = isTerminal ? DispatchTimeInterval.milliseconds(250) : .seconds(10)
        let timer = DispatchSource.makeTimerSource(queue: .global())
        timer.schedule(deadline: .now() + pause, repeating: pause)
        timer.setEventHandler { [progress, isTerminal] in
            let elapsed = ContinuousClock.now - started
            let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
            let text = progress.snapshot.text(elapsedSeconds: seconds, barWidth: isTerminal ? 30 : nil)
            if isTerminal { Output.draw("\r\u{1B}[K" + text) } else { Output.error(text) }
        }
        timer.resume()
        return timer
    }
}

extension Output {
    /// Onto standard error without a line end.
    static func draw(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
