import TimeSeries

extension TrafficTotal: TrafficWireResult {
    static let kind = "total"

    func writeMembers(_ writer: inout JSONWriter) {
        writer.member("vehicleType", vehicleType)
        writer.member("day", JSONValue(day))
        writer.member("vehicles", vehicles)
        writer.member("events", events)
        writer.member("arrivals", arrivals)
    }

    init(route: String, time: Milliseconds, revision: Revision, members: TrafficMembers) throws(RecordError) {
        var day: String?
        if members.isThere("day") {
            let text = try members.text("day")
            guard TrafficTotal.isDay(text) else { throw RecordError("'day' is no day, as 2025-10-14") }
            day = text
        }
        self.init(
            time: time, revision: revision, route: route, vehicleType: try members.name("vehicleType"), day: day,
            vehicles: try members.count("vehicles"), events: try members.count("events"), arrivals: try members.count("arrivals"))
    }

    /// By its form alone: `yyyy-MM-dd`, so that days are in order as texts.
    private static func isDay(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return bytes.count == 10
            && bytes.indices.allSatisfy { i in
                i == 4 || i == 7 ? bytes[i] == UInt8(ascii: "-") : (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[i])
            }
    }
}

extension TrafficWindow: TrafficWireResult {
    static let kind = "window"

    func writeMembers(_ writer: inout JSONWriter) {
        writer.member("window", window)
        writer.member("vehicleType", vehicleType)
        writer.member("vehicles", vehicles)
        writer.member("events", events)
        writer.member("speedAvg", speedAvg)
        writer.member("speedP10", speedP10)
        writer.member("lowFuel", lowFuel)
    }

    init(route: String, time: Milliseconds, revision: Revision, members: TrafficMembers) throws(RecordError) {
        let window = try members.integer("window")
        guard window > 0 else { throw RecordError("'window' is no length") }
        self.init(
            time: time, window: window, revision: revision, route: route, vehicleType: try members.name("vehicleType"),
            vehicles: try members.count("vehicles"), events: try members.count("events"), speedAvg: try members.numberOrNull("speedAvg"),
            speedP10: try members.numberOrNull("speedP10"), lowFuel: try members.count("lowFuel"))
    }
}

extension PointVisit: TrafficWireResult {
    static let kind = "poi"

    func writeMembers(_ writer: inout JSONWriter) {
        writer.member("point", point)
        writer.member("vehicleId", vehicle)
        writer.member("vehicleType", vehicleType)
        writer.member("entered", entered)
        writer.member("seen", seen)
        writer.member("left", JSONValue(left))
        // For readers; not read back.
        writer.member("dwell", dwell)
        writer.member("latitude", latitude)
        writer.member("longitude", longitude)
        writer.member("distance", distance)
        writer.member("withdrawn", JSONValue.bool(isWithdrawn))
    }

    init(route: String, time: Milliseconds, revision: Revision, members: TrafficMembers) throws(RecordError) {
        let entered = try members.integer("entered")
        let seen = try members.integer("seen")
        if seen < entered || seen.subtractingReportingOverflow(entered).overflow { throw RecordError("'seen' is before 'entered'") }
        self.init(
            time: time, revision: revision, point: try members.name("point"), vehicle: try members.name("vehicleId"),
            vehicleType: try members.name("vehicleType"), route: route, entered: entered, seen: seen,
            left: try members.integerOrNull("left"), latitude: try members.number("latitude"), longitude: try members.number("longitude"),
            distance: try members.number("distance"), isWithdrawn: try members.flag("withdrawn"))
    }
}

extension TrafficAlert: TrafficWireResult {
    static let kind = "alert"

    func writeMembers(_ writer: inout JSONWriter) {
        writer.member("rule", rule)
        writer.member("subject", subject)
        writer.member("vehicleType", vehicleType)
        writer.member("onset", onset)
        writer.member("end", JSONValue(end))
        writer.member("value", value)
        writer.member("limit", limit)
        writer.member("message", TrafficAlert.shortened(message))
    }

    init(route: String, time: Milliseconds, revision: Revision, members: TrafficMembers) throws(RecordError) {
        self.init(
            time: time, revision: revision, rule: try members.name("rule"), subject: try members.name("subject"),
            vehicleType: try members.name("vehicleType"), route: route, onset: try members.integer("onset"),
            end: try members.integerOrNull("end"), value: try members.numberOrNull("value"), limit: try members.numberOrNull("limit"),
            message: try members.text("message"))
    }

    /// Whole characters only.
    private static func shortened(_ text: String) -> String {
        if text.utf8.count <= TrafficRecord.maximumMessageBytes { return text }
        var kept = ""
        var bytes = 0
        for scalar in text.unicodeScalars {
            bytes += String(scalar).utf8.count
            if bytes > TrafficRecord.maximumMessageBytes { break }
            kept.unicodeScalars.append(scalar)
        }
        return kept
    }
}
