import Foundation
import TimeSeries

enum ZoneName {
    /// Whether the machine knows the zone.
    static func isKnown(_ name: String) -> Bool { TimeZone(identifier: name) != nil }
}

extension ConfigurationChecks {
    static func traffic(_ traffic: TrafficSettings, _ path: String, _ loader: inout Loader) {
        for (i, window) in traffic.windows.enumerated() {
            guard let slide = window.slide else { continue }
            if window.length % slide != 0 {
                loader.report(
                    "\(path).windows[\(i)].slide",
                    "the length \(DurationText.format(window.length)) is no multiple of \(DurationText.format(slide))")
            }
        }
        if traffic.windows.count > 8 { loader.report(path + ".windows", "has \(traffic.windows.count) windows; at most 8") }
        distinct(traffic.routes.map(\.name), "\(path).routes", &loader)
        distinct(traffic.points.map(\.name), "\(path).points", &loader)
        distinct(traffic.rules.map(\.name), "\(path).rules", &loader)
        if traffic.points.count > 32 { loader.report(path + ".points", "has \(traffic.points.count) points; at most 32") }
        for (i, point) in traffic.points.enumerated() { check(point, "\(path).points[\(i)]", &loader) }
        let points = traffic.points.isEmpty ? ["poi"] : traffic.points.map(\.name)
        for (i, rule) in traffic.rules.enumerated() { check(rule, points, "\(path).rules[\(i)]", &loader) }
    }

    private static func distinct(_ names: [String], _ path: String, _ loader: inout Loader) {
        for (i, name) in names.enumerated() where !name.isEmpty && names[..<i].contains(name) {
            loader.report("\(path)[\(i)].name", "\"\(name)\" is given twice")
        }
    }

    private static func check(_ point: PointSettings, _ path: String, _ loader: inout Loader) {
        let circle = [point.latitude, point.longitude, point.radius]
        let given = circle.count { $0 != nil }
        if given > 0 && !point.polygon.isEmpty {
            loader.report(path + ".polygon", "give either a circle (latitude, longitude, radius_km) or a polygon, not both")
        } else if given == 0 && point.polygon.isEmpty {
            loader.report(path, "is nowhere; give latitude, longitude and radius_km, or a polygon")
        } else if given > 0 && given < 3 && !loader.hasMistakes(under: path) {
            loader.report(path, "a circle needs latitude, longitude and radius_km")
        } else if given == 0 && point.polygon.count < 3 {
            loader.report(path + ".polygon", "has \(point.polygon.count) corners; at least 3")
        }
    }

    private static func check(_ rule: TrafficRuleSettings, _ points: [String], _ path: String, _ loader: inout Loader) {
        let conditions = [rule.speedAbove != nil || rule.speedAboveField != nil, rule.fuelBelow != nil, rule.enters != nil]
        switch conditions.count(where: { $0 }) {
        case 0: loader.report(path, "has no condition; give speed_above, speed_above_field, fuel_below or enters")
        case 1: break
        default: loader.report(path, "has several conditions; make a rule of each")
        }
        if loader.isGiven(path + ".for") && !conditions[0] { loader.report(path + ".for", "goes with speed_above") }
        if let enters = rule.enters, !points.contains(enters) {
            loader.report(path + ".enters", "\"\(enters)\" is no point of interest (known: \(points.joined(separator: ", ")))")
        }
    }

    static func webhook(_ webhook: WebhookSettings, _ path: String, _ loader: inout Loader) { checkAccess(webhook.access, path, &loader) }
}
