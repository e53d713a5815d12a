import Coordination
import Exposition
import Fetching
import HostMetrics
import Logging
import Messaging
import Synchronization
import Telemetry
import TimeSeries

/// Scrapes one target from start to end.
final class ScrapeWorker: Sendable {
    let target: ScrapeTarget
    private let context: WorkerContext
    private let outbox: Outbox
    private let state: Mutex<SourceStatus>
    /// Set before the task is cancelled for good: the target's series end.
    private let endsSeries = Mutex(false)
    private let instance: String

    init(_ target: ScrapeTarget, context: WorkerContext) {
        self.target = target
        self.context = context
        switch target.source {
        case .http(let url): instance = target.instance ?? HTTPAddress(url)?.instance ?? url
        case .host: instance = target.instance ?? hostName()
        }
        outbox = Outbox(
            name: target.displayURL, log: context.log, environment: context.environment,
            maxPending: context.maxPendingScrapes(interval: target.interval), maxBytes: context.maxPendingBytes)
        state = Mutex(SourceStatus(kind: .scrape, job: target.job, instance: instance, url: target.displayURL))
    }

    var status: SourceStatus {
        var status = state.withLock { $0 }
        status.pending = outbox.pendingCount
        return status
    }

    /// The target is no longer wanted: its series get staleness markers when the task ends.
    func endSeries() { endsSeries.withLock { $0 = true } }

    /// Scrapes until the task is cancelled, then sends what is left.
    func run() async {
        // Not a child: what has been scraped is still sent when this task is cancelled.
        let sender = Task { [outbox] in await outbox.run() }
        var scraper = TargetScraper(target, instance: instance, topic: context.topic)
        let pages = PageSource(target)
        await scrapeLoop(&scraper, pages)
        await pages.close()
        // Of a target that has moved the series go on elsewhere: who no longer owns it says nothing of their end.
        if endsSeries.withLock({ $0 }), tenure != nil {
            outbox.add(scraper.end(at: context.environment.clock.now()))
        }
        outbox.close()
        let deadline = Task { [drainTimeout = context.drainTimeout] in
            try await Task.sleep(for: .milliseconds(drainTimeout))
            sender.cancel()
        }
        await sender.value
        deadline.cancel()
    }

    private func scrapeLoop(_ scraper: inout TargetScraper, _ pages: PageSource) async {
        let schedule = ScrapeSchedule(name: target.id, interval: target.interval)
        let environment = context.environment
        var slot = schedule.slot(after: environment.clock.now())
        while !Task.isCancelled {
            guard let start = await wait(until: &slot, schedule) else { return }
            switch share(of: slot, at: start, schedule) {
            case .own: await scrape(&scraper, pages, at: schedule.timestamp(slot: slot, startedAt: start))
            case .former: break
            case .foreign: leave(&scraper)
            }
            let next = schedule.slot(after: max(environment.clock.now(), slot))
            let missed = (next - slot) / schedule.interval - 1
            if missed > 0 { environment.metrics.skippedScrapes.add(Int(missed)) }
            slot = next
        }
    }

    /// How long the target has been this process'; nil when it is another's. The machine itself is read by the process on it, and no other.
    private var tenure: Duration? {
        if case .host = target.source { return .seconds(Int64.max / 4) }
        return context.coordinator.tenure(of: target.url)
    }

    private enum Share { case own, former, foreign }

    /// Whose the scrape of a slot is. Who has owned the target for a shorter time than since the slot leaves it: the former owner may have
    /// done it. The margin is for clocks that differ from host to host.
    private func share(of slot: Milliseconds, at now: Milliseconds, _ schedule: ScrapeSchedule) -> Share {
        guard let tenure else { return .foreign }
        return tenure >= .milliseconds(max(0, now - slot) + schedule.handoverMargin) ? .own : .former
    }

    /// Whoever owns the target now goes on with its series: no markers.
    private func leave(_ scraper: inout TargetScraper) {
        scraper.forget()
        state.withLock { $0.health = .elsewhere }
    }

    /// Waits for the slot by the wall clock, which may jump: forward it wakes late, backward the slot is set anew. Gives the time of waking;
    /// nil when cancelled.
    private func wait(until slot: inout Milliseconds, _ schedule: ScrapeSchedule) async -> Milliseconds? {
        while true {
            let now = context.environment.clock.now()
            if now >= slot {
                if now - slot >= schedule.interval {
                    let present = schedule.slot(after: now - schedule.interval)
                    context.environment.metrics.skippedScrapes.add(Int((present - slot) / schedule.interval))
                    slot = present
                }
                return Task.isCancelled ? nil : now
            }
            if slot - now > schedule.interval {
                context.environment.logger.warning("the clock went back by more than an interval; \(target.displayURL) is scheduled anew")
                slot = schedule.slot(after: now)
            }
            do {
                try await context.environment.sleep(slot - now)
            } catch {
                return nil
            }
        }
    }

    private func scrape(_ scraper: inout TargetScraper, _ pages: PageSource, at time: Milliseconds) async {
        let clock = ContinuousClock()
        let began = clock.now
        let fetched: Result<FetchedPage, any Error>
        do {
            fetched = .success(try await pages.fetch(expectedBytes: scraper.lastPageBytes))
        } catch is CancellationError {
            return
        } catch {
            fetched = .failure(error)
        }
        // Lost meanwhile: neither the page nor its absence is for this process to tell.
        guard tenure != nil else { return leave(&scraper) }
        var failure: String?
        switch fetched {
        case .success(let page): failure = scraper.take(page, at: time)
        case .failure(let error):
            failure = "\(error)"
            scraper.fail()
        }
        let duration = (clock.now - began) / Duration.seconds(1)
        let report = ScrapeReport(isUp: failure == nil, duration: duration, counts: scraper.counts)
        let records = scraper.records(report, at: time)
        note(report, failure, time, samples: records.samples)
        outbox.add(records)
    }

    private func note(_ report: ScrapeReport, _ failure: String?, _ time: Milliseconds, samples: Int) {
        let metrics = context.environment.metrics
        (report.isUp ? metrics.scrapes : metrics.failedScrapes).add()
        metrics.scrapeSeconds.observe(report.duration)
        if report.counts.duplicates > 0 { metrics.duplicates.add(report.counts.duplicates) }
        if report.counts.future > 0 { metrics.dropped("future", report.counts.future) }
        let before = state.withLock { state in
            defer {
                state.health = report.isUp ? .up : .down
                state.lastError = failure
                state.lastScrape = time
                state.lastDuration = report.duration
                state.samples = samples
            }
            return state
        }
        logChange(report, failure, before)
    }

    /// Once for each new state, not for each scrape.
    private func logChange(_ report: ScrapeReport, _ failure: String?, _ before: SourceStatus) {
        let logger = context.environment.logger
        if let failure, failure != before.lastError {
            logger.warning("target \(target.displayURL) (job \(target.job)) is down: \(failure)")
        } else if failure == nil, before.health == .down {
            logger.notice("target \(target.displayURL) (job \(target.job)) is up again")
        }
        if let first = report.counts.firstDuplicate, context.firstTime("duplicate \(target.id)") {
            logger.warning(
                "target \(target.displayURL): \(report.counts.duplicates) rows repeat a series of their page, \(first) first; the first of each counts"
            )
        }
        if report.counts.future > 0, context.firstTime("future \(target.id)") {
            logger.warning(
                "target \(target.displayURL): \(report.counts.future) rows have timestamps more than 10 minutes ahead and are refused; compare the clocks"
            )
        }
    }
}

/// Where pages come from: HTTP or this process.
struct PageSource: Sendable {
    private static let accept =
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

    private let target: ScrapeTarget
    /// Or why there is none, for example a CA file that cannot be read.
    private let fetcher: Result<Fetcher, FetchFailure>?
    private let host: HostExporter?

    init(_ target: ScrapeTarget) {
        self.target = target
        switch target.source {
        case .http:
            fetcher = Fetcher.make(tls: target.tls, credentials: target.credentials, maxBodyBytes: target.maxBodyBytes)
            host = nil
        case .host:
            fetcher = nil
            host = HostExporter()
        }
    }

    func fetch(expectedBytes: Int) async throws -> FetchedPage {
        if let host { return FetchedPage(contentType: nil, body: host.page()) }
        guard let fetcher = try fetcher?.get() else { throw CancellationError() }
        let seconds = Double(target.timeout) / 1_000
        let page = try await fetcher.fetch(
            target.url,
            headers: [("Accept", PageSource.accept), ("X-Prometheus-Scrape-Timeout-Seconds", "\(seconds)")],
            timeout: target.timeout, expectedBytes: expectedBytes)
        guard page.status == 200 else {
            throw FetchFailure(kind: .status(page.status), message: "the server answered with HTTP status \(page.status)")
        }
        return page
    }

    func close() async { await (try? fetcher?.get())?.close() }
}
