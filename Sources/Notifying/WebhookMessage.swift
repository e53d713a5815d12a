import Records
import TimeSeries

/// The body that Alertmanager sends to a webhook, version 4, so that what understands one understands the other.
/// Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
package enum WebhookMessage {
    /// One message for alerts of one rule.
    package static func encode(_ alerts: [TrafficAlert], rule: String, externalURL: String) -> [UInt8] {
        let isFiring = alerts.contains { $0.end == nil }
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("version", "4")
        writer.member("groupKey", "{}:{alertname=\"\(rule)\"}")
        writer.member("truncatedAlerts", 0)
        writer.member("status", isFiring ? "firing" : "resolved")
        writer.member("receiver", "almanac")
        labels(&writer, "groupLabels", [("alertname", rule)])
        labels(&writer, "commonLabels", [("alertname", rule)])
        labels(&writer, "commonAnnotations", [])
        writer.member("externalURL", externalURL)
        writer.key("alerts")
        writer.beginArray()
        for alert in alerts { encode(alert, externalURL, &writer) }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }

    private static func encode(_ alert: TrafficAlert, _ externalURL: String, _ writer: inout JSONWriter) {
        let names = [
            ("alertname", alert.rule), ("vehicle", alert.subject), ("vehicle_type", alert.vehicleType), ("route", alert.route),
        ]
        writer.beginObject()
        writer.member("status", alert.end == nil ? "firing" : "resolved")
        labels(&writer, "labels", names)
        var notes = [("summary", alert.message)]
        if let value = alert.value { notes.append(("value", "\(value)")) }
        if let limit = alert.limit { notes.append(("limit", "\(limit)")) }
        labels(&writer, "annotations", notes)
        writer.member("startsAt", InternetTime.text(alert.onset))
        // Alertmanager's word for an alert that has not ended.
        writer.member("endsAt", alert.end.map(InternetTime.text) ?? "0001-01-01T00:00:00Z")
        writer.member("generatorURL", externalURL)
        writer.member("fingerprint", fingerprint(names))
        writer.endObject()
    }

    private static func labels(_ writer: inout JSONWriter, _ key: String, _ labels: [(String, String)]) {
        writer.key(key)
        writer.beginObject()
        for (name, value) in labels { writer.member(name, value) }
        writer.endObject()
    }

    private static func fingerprint(_ labels: [(String, String)]) -> String {
        let hash = LabelSet(labels.map { Label($0.0, $0.1) }).fingerprint.high
        let text = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}

/// RFC 3339 in UTC.
enum InternetTime {
    /// With milliseconds, as `2026-03-01T12:00:00.250Z`.
    static func text(_ time: Milliseconds) -> String {
        let days = floorDivide(time, 86_400_000)
        let rest = time - days * 86_400_000
        let (year, month, day) = civil(days)
        func padded(_ value: Int64, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(padded(rest / 3_600_000, 2)):"
            + "\(padded(rest / 60_000 % 60, 2)):\(padded(rest / 1000 % 60, 2)).\(padded(rest % 1000, 3))Z"
    }

    private static func floorDivide(_ a: Int64, _ b: Int64) -> Int64 { a >= 0 ? a / b : -((-a + b - 1) / b) }

    /// Of days since 1970. Source: H. Hinnant, chrono-compatible low-level date algorithms.
    private static func civil(_ days: Int64) -> (Int64, Int64, Int64) {
        let z = days + 719_468
        let era = floorDivide(z, 146_097)
        let doe = z - era * 146_097
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100)
        let mp = (5 * doy + 2) / 153
        let month = mp < 10 ? mp + 3 : mp - 9
        return (yoe + era * 400 + (month <= 2 ? 1 : 0), month, doy - (153 * mp + 2) / 5 + 1)
    }
}
