import Fetching
import TimeSeries

/// Who is told of alerts.
package struct NotifyOptions: Sendable {
    package struct Webhook: Sendable, Equatable {
        package var url: String
        package var timeout: Milliseconds = 10_000
        package var credentials: HTTPCredentials?
        package var tls = TLSOptions()

        package init(url: String) { self.url = url }
    }

    package var webhooks: [Webhook] = []
    /// Where alerts come from.
    package var topic = "trafficdata"
    /// Where Almanac is for who reads the message.
    package var externalURL = ""
    /// Older alerts are not told: a new webhook is not flooded with what is long over.
    package var maxAge: Milliseconds = 3_600_000
    /// First and longest pause between two attempts.
    package var backoff: (first: Milliseconds, longest: Milliseconds) = (500, 30_000)
    /// Bounds on alerts in one message.
    package var maxAlerts = 100

    package init() {}
}
