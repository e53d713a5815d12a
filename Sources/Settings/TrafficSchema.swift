import TimeSeries

private let second: Milliseconds = 1000
private let minute = 60 * second
private let hour = 60 * minute
private let day = 24 * hour

extension ValueForm where Value == Double {
    static func number(_ range: ClosedRange<Double>) -> Self {
        ValueForm(
            name: "number", allowed: "a number from \(plain(range.lowerBound)) to \(plain(range.upperBound))",
            parse: { text throws(FormError) in Double(text).flatMap { range.contains($0) ? $0 : nil } },
            format: { plain($0) })
    }
}

/// 30 rather than 30.0.
private func plain(_ value: Double) -> String {
    Int64(exactly: value).map { "\($0)" } ?? "\(value)"
}

extension ConfigurationSchema {
    static let traffic = Section<TrafficSettings>(
        [
            .value("enabled", \.enabled, .bool, "Take the events of vehicles in."),
            .sections(
                "windows", \.windows, TrafficWindowSettings(), trafficWindow, "Windows of the counts. Default: 30s, sliding by 10s."),
            .value(
                "allowed_lateness", \.allowedLateness, .duration(0...day),
                "Events this much older than the newest still count; older ones are refused and counted."),
            .value(
                "disorder", \.disorder, .duration(0...hour),
                "A window is first given when the newest event is this much past its end."),
            .value("future_bound", \.futureBound, .duration(0...day), "Events this much ahead of the clock are refused."),
            .value(
                "idle_timeout", \.idleTimeout, .duration(second...hour), "Without events for this long, what is held back is given."),
            .value("zone", \.zone, .timeZone, "Time zone of the routes' days, and of timestamps that have none."),
            .sections("routes", \.routes, TrafficRouteSettings(), trafficRoute, "Routes in another zone."),
            .value("low_fuel", \.lowFuel, .number(0...100), "Percent; less counts as low."),
            .sections(
                "points", \.points, PointSettings(), point,
                "Points of interest. Default: the trucks of Route-37 within 30 km of 33.877495, -95.50238."),
            .sections("rules", \.rules, TrafficRuleSettings(), trafficRule, "What becomes an alert at once."),
            .value(
                "max_vehicles", \.maxVehicles, .integer(1...100_000_000),
                "Vehicles that one partition remembers; events of further ones are refused and counted."),
            .value(
                "vehicle_retention", \.vehicleRetention, .duration(hour...(3650 * day)),
                "Vehicles not heard for this long are forgotten; the totals keep them."),
        ], check: ConfigurationChecks.traffic)

    private static let trafficWindow = Section<TrafficWindowSettings>([
        .value("length", \.length, .duration(second...day), required: true, "How long."),
        .optional("slide", \.slide, .duration(second...day), "Time between two windows. Default: the length."),
    ])

    private static let trafficRoute = Section<TrafficRouteSettings>([
        .value("name", \.name, .text, required: true, "As the events name it."),
        .optional("zone", \.zone, .timeZone, "Its time zone. Default: `traffic.zone`."),
    ])

    private static let point = Section<PointSettings>([
        .value("name", \.name, .text, required: true, "Of the point."),
        .optional("latitude", \.latitude, .number(-90...90), "Of the centre, degrees."),
        .optional("longitude", \.longitude, .number(-180...180), "Of the centre, degrees."),
        .optional("radius_km", \.radius, .number(0...20_000), "Around the centre."),
        .list("polygon", \.polygon, of: .coordinate, "Instead of a circle: three or more corners, `latitude longitude`."),
        .list("routes", \.routes, of: .text, "Only vehicles on these; empty: all."),
        .list("types", \.vehicleTypes, of: .text, "Only vehicles of these types; empty: all."),
        .value("ttl", \.timeToLive, .duration(second...day), "A vehicle not heard for this long has left."),
    ])

    private static let trafficRule = Section<TrafficRuleSettings>([
        .value("name", \.name, .text, required: true, "Of the alerts."),
        .optional("speed_above", \.speedAbove, .number(0...1000), "km/h; with `speed_above_field` where that has no value."),
        .optional(
            "speed_above_field", \.speedAboveField, .text, "The limit from a join, `join.field`, by the event's route."),
        .value("for", \.duration, .duration(0...day), "How long the speed must stay above."),
        .optional("fuel_below", \.fuelBelow, .number(0...100), "An alert while the fuel, percent, is less."),
        .optional("enters", \.enters, .text, "Name of a point of interest."),
        .list("routes", \.routes, of: .text, "Only vehicles on these; empty: all."),
        .list("types", \.vehicleTypes, of: .text, "Only vehicles of these types; empty: all."),
    ])

    static let notify = Section<NotifySettings>([
        .sections("webhooks", \.webhooks, WebhookSettings(), webhook, "Told of alerts in Alertmanager's format.")
    ])

    private static let webhook = Section<WebhookSettings>(
        [
            .value("url", \.url, .url, required: true, "Gets a POST."),
            .value("timeout", \.timeout, .duration(second...minute), "How long one delivery may take."),
        ], and: access(\.access), check: ConfigurationChecks.webhook)
}

extension ValueForm where Value == String {
    /// A name of the IANA database.
    static var timeZone: Self {
        ValueForm(
            name: "time zone", allowed: "a time zone such as UTC or Europe/Rome",
            parse: { text throws(FormError) in ZoneName.isKnown(text) ? text : nil }, format: { $0 })
    }

    static var coordinate: Self {
        ValueForm(
            name: "coordinate", allowed: "a latitude and a longitude in degrees, such as \"41.9 12.5\"",
            parse: { text throws(FormError) in CoordinateText.parse(text) == nil ? nil : text }, format: { $0 })
    }
}

package enum CoordinateText {
    /// Of `41.9 12.5` or `41.9,12.5`; nil if it is none.
    package static func parse(_ text: String) -> (latitude: Double, longitude: Double)? {
        let parts = text.split(whereSeparator: { $0 == " " || $0 == "," }).map { Double($0) }
        guard parts.count == 2, let latitude = parts[0], let longitude = parts[1], abs(latitude) <= 90, abs(longitude) <= 180 else {
            return nil
        }
        return (latitude, longitude)
    }
}
