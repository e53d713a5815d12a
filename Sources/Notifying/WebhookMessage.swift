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
        writer.member("startsAt", CivilTime.text(alert.onset))
        // Alertmanager's word for an alert that has not ended.
        writer.member("endsAt", alert.end.map { CivilTime.text($0) } ?? "0001-01-01T00:00:00Z")
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
