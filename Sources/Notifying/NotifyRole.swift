import Fetching
import Logging
import Messaging
import NIOHTTP1
import Records
import Telemetry
import TimeSeries

/// Tells webhooks of alerts: each is a consumer group of its own, so that one that is down holds no other back, and what it has not acknowledged comes
/// again after a restart. At least once; in order; an answer of 2xx acknowledges.
package final class NotifyRole: Sendable {
    private let options: NotifyOptions
    private let log: any MessageLog
    private let clock: any WallClock
    private let logger: Logger
    private let delivered: Counter
    private let failed: Counter
    private let refused: Counter
    private let skipped: Counter

    package init(options: NotifyOptions, log: any MessageLog, clock: any WallClock, metrics: MetricRegistry, logger: Logger) {
        self.options = options
        self.log = log
        self.clock = clock
        self.logger = logger
        delivered = metrics.counter("almanac_notify_alerts_total", help: "Alerts that a webhook has taken.")
        failed = metrics.counter("almanac_notify_failures_total", help: "Deliveries that failed and are tried again.")
        refused = metrics.counter("almanac_notify_refused_total", help: "Alerts that a webhook has refused for good (4xx).")
        skipped = metrics.counter("almanac_notify_skipped_total", help: "Alerts too old to be told.")
    }

    /// Runs until the task is cancelled.
    package func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            for webhook in options.webhooks { group.addTask { await self.serve(webhook) } }
        }
    }

    /// The group's name does not show the URL, which may hold a secret.
    static func group(_ url: String) -> String {
        "almanac-notify-" + String(Fingerprint(hashing: Array(url.utf8)).high, radix: 16)
    }

    private func serve(_ webhook: NotifyOptions.Webhook) async {
        guard let fetcher = await fetcher(of: webhook) else { return }
        var told = DeliveredAlerts()
        while !Task.isCancelled {
            do {
                let consumer = try await log.consumer(topics: [options.topic], group: NotifyRole.group(webhook.url))
                do {
                    try await consume(consumer, webhook, fetcher, &told)
                    await consumer.close()
                } catch {
                    await consumer.close()
                    throw error
                }
            } catch let error as MessagingError where error.code == .closed {
                break
            } catch is CancellationError {
                break
            } catch {
                logger.warning("alerts cannot be read for a webhook: \(error); trying again")
                try? await Task.sleep(for: .seconds(1))
            }
        }
        await fetcher.close()
    }

    /// Tries until it can be made: a file of authorities may come later. nil when cancelled.
    private func fetcher(of webhook: NotifyOptions.Webhook) async -> Fetcher? {
        while !Task.isCancelled {
            switch Fetcher.make(tls: webhook.tls, credentials: webhook.credentials, maxBodyBytes: 1 << 20, followsRedirects: false) {
            case .success(let made): return made
            case .failure(let failure): logger.error("a webhook cannot be used now: \(failure)")
            }
            try? await Task.sleep(for: .milliseconds(options.backoff.longest))
        }
        return nil
    }

    private func consume(
        _ consumer: any MessageConsumer, _ webhook: NotifyOptions.Webhook, _ fetcher: Fetcher, _ told: inout DeliveredAlerts
    ) async throws {
        while !Task.isCancelled {
            let batch = try await consumer.poll(maxBytes: 1 << 20, timeout: 500)
            if batch.records.isEmpty { continue }
            var offsets: [TopicPartition: Offset] = [:]
            var news: [TrafficAlert] = []
            for record in batch.records {
                offsets[TopicPartition(record.topic, record.partition)] = record.offset + 1
                // What is no alert, or cannot be read, is others' business: the store buries the latter.
                guard case .alerts(let alerts)? = try? TrafficRecord.decode(record.value) else { continue }
                let oldest = clock.now() - options.maxAge
                for alert in alerts where told.isNews(alert) {
                    if record.appendTime < oldest { skipped.add() } else { news.append(alert) }
                    told.add(alert)
                }
            }
            for message in NotifyRole.grouped(news, most: options.maxAlerts) {
                try await deliver(message, webhook, fetcher)
            }
            try await consumer.commit(offsets)
        }
    }

    /// Alerts of one rule together, in order.
    static func grouped(_ alerts: [TrafficAlert], most: Int) -> [[TrafficAlert]] {
        var groups: [[TrafficAlert]] = []
        for alert in alerts {
            if let last = groups.last, last[0].rule == alert.rule, last.count < most {
                groups[groups.count - 1].append(alert)
            } else {
                groups.append([alert])
            }
        }
        return groups
    }

    /// Until the webhook takes it or refuses it for good.
    private func deliver(_ alerts: [TrafficAlert], _ webhook: NotifyOptions.Webhook, _ fetcher: Fetcher) async throws {
        guard let rule = alerts.first?.rule else { return }
        let body = RequestContent(
            type: "application/json", bytes: WebhookMessage.encode(alerts, rule: rule, externalURL: options.externalURL))
        var pause = options.backoff.first
        while true {
            let problem: String
            do {
                let answer = try await fetcher.fetch(webhook.url, method: .POST, content: body, timeout: webhook.timeout)
                switch answer.status {
                case 200..<300:
                    delivered.add(alerts.count)
                    return
                case 408, 425, 429, 500...:
                    problem = "it answered \(answer.status)"
                default:
                    refused.add(alerts.count)
                    logger.error("a webhook refuses alerts with \(answer.status); they are not told again", metadata: ["rule": "\(rule)"])
                    return
                }
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                problem = "\(error)"
            }
            failed.add()
            logger.warning("a webhook does not take alerts now: \(problem)")
            try await Task.sleep(for: .milliseconds(pause))
            pause = min(pause * 2, options.backoff.longest)
        }
    }
}
