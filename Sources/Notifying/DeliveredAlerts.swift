import Records
import TimeSeries

/// Which states of which alerts a webhook has been told: a version that says nothing new is not told again.
struct DeliveredAlerts: Sendable {
    private struct Key: Hashable {
        var rule: String
        var subject: String
        var onset: Milliseconds
    }

    private var isResolved: [Key: Bool] = [:]
    /// In the order of their coming, so that the oldest are forgotten first.
    private var order: [Key] = []
    private static let maximum = 100_000

    /// Whether the alert begins or ends with this version.
    func isNews(_ alert: TrafficAlert) -> Bool {
        switch isResolved[Key(rule: alert.rule, subject: alert.subject, onset: alert.onset)] {
        case nil: true
        case false?: alert.end != nil
        case true?: false
        }
    }

    mutating func add(_ alert: TrafficAlert) {
        let key = Key(rule: alert.rule, subject: alert.subject, onset: alert.onset)
        if isResolved.updateValue(alert.end != nil, forKey: key) == nil { order.append(key) }
        guard order.count > DeliveredAlerts.maximum else { return }
        for key in order.prefix(DeliveredAlerts.maximum / 2) { isResolved[key] = nil }
        order.removeFirst(DeliveredAlerts.maximum / 2)
    }
}
