import Analyzing
import Fetching
import Notifying
import Settings
import TimeSeries
import Traffic

// From the configuration to the options of the traffic analysis and of the webhooks.

extension Configuration {
    static let trafficGroup = "almanac-traffic"
    static let trafficMergeGroup = "almanac-traffic-merge"

    var trafficTopics: TrafficTopics {
        var names = TrafficTopics()
        names.events = topics.events
        names.partials = topics.trafficPartials
        names.results = topics.trafficdata
        names.samples = topics.samples
        names.checkpoints = topics.chunks
        return names
    }

    var trafficOptions: TrafficOptions {
        var options = TrafficOptions()
        if !traffic.windows.isEmpty {
            options.windows = traffic.windows.map { .init(length: $0.length, slide: $0.slide ?? $0.length) }
        }
        options.allowedLateness = traffic.allowedLateness
        options.disorder = traffic.disorder
        options.futureBound = traffic.futureBound
        options.idleTimeout = traffic.idleTimeout
        options.zone = traffic.zone
        for route in traffic.routes {
            if let zone = route.zone { options.routeZones[route.name] = zone }
        }
        options.lowFuel = traffic.lowFuel
        if !traffic.points.isEmpty { options.points = traffic.points.map(Configuration.point) }
        options.rules = traffic.rules.compactMap(Configuration.rule)
        options.maxVehicles = traffic.maxVehicles
        options.vehicleRetention = traffic.vehicleRetention
        return options
    }

    private static func point(_ point: PointSettings) -> PointOfInterest {
        let area: PointOfInterest.Area
        if let latitude = point.latitude, let longitude = point.longitude, let radius = point.radius {
            area = .circle(latitude: latitude, longitude: longitude, radius: radius)
        } else {
            area = .polygon(
                point.polygon.compactMap { text in
                    CoordinateText.parse(text).map { Coordinate(latitude: $0.latitude, longitude: $0.longitude) }
                })
        }
        return PointOfInterest(
            name: point.name, area: area, routes: Set(point.routes), vehicleTypes: Set(point.vehicleTypes), timeToLive: point.timeToLive)
    }

    /// nil for one without a condition, which `check` refuses.
    private static func rule(_ rule: TrafficRuleSettings) -> TrafficRule? {
        let condition: TrafficRule.Condition
        if let field = rule.speedAboveField {
            condition = .speedAbove(.field(field, default: rule.speedAbove), for: rule.duration)
        } else if let limit = rule.speedAbove {
            condition = .speedAbove(.value(limit), for: rule.duration)
        } else if let limit = rule.fuelBelow {
            condition = .fuelBelow(limit)
        } else if let point = rule.enters {
            condition = .enters(point)
        } else {
            return nil
        }
        return TrafficRule(name: rule.name, condition: condition, routes: Set(rule.routes), vehicleTypes: Set(rule.vehicleTypes))
    }

    var notifyOptions: NotifyOptions {
        var options = NotifyOptions()
        options.topic = topics.trafficdata
        options.externalURL = ConfigurationSummary.url(self)
        options.webhooks = notify.webhooks.map { webhook in
            var made = NotifyOptions.Webhook(url: webhook.url)
            made.timeout = webhook.timeout
            made.credentials = Configuration.credentials(webhook.access)
            made.tls = TLSOptions(caFile: webhook.access.caFile, insecureSkipVerify: webhook.access.insecureSkipVerify)
            return made
        }
        return options
    }
}
