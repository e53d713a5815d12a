import Records
import TimeSeries

/// Which totals of the traffic.
package struct TrafficQuery: Sendable, Equatable {
    package enum DaySelection: Sendable, Equatable {
        case sinceStart
        /// Local days of the routes, `yyyy-MM-dd`, both included; nil: no bound.
        case days(from: String?, to: String?)

        package func contains(_ day: String?) -> Bool {
            switch self {
            case .sinceStart: return day == nil
            case .days(let from, let to):
                guard let day else { return false }
                return (from.map { $0 <= day } ?? true) && (to.map { day <= $0 } ?? true)
            }
        }
    }

    /// nil: all.
    package var route: String?
    package var vehicleType: String?
    package var day: DaySelection
    package var limit: Int

    package init(route: String? = nil, vehicleType: String? = nil, day: DaySelection = .sinceStart, limit: Int = 1000) {
        self.route = route
        self.vehicleType = vehicleType
        self.day = day
        self.limit = limit
    }
}
