import TimeSeries

/// Reads the time of a record.
struct TimeReader {
    /// Beyond the year 9999 nothing is meant.
    private static let latest: Milliseconds = 253_402_300_799_999

    private let form: FlowTime.Form
    private var zone: LocalZone

    init(_ time: FlowTime) throws(FlowProblem) {
        guard let zone = LocalZone(time.zone) else { throw FlowProblem("\"\(time.zone)\" is no time zone") }
        form = time.form
        self.zone = zone
    }

    /// nil: not of the form.
    mutating func read(_ value: FieldValue) -> Milliseconds? {
        switch form {
        case .epochSeconds: return epoch(value, scale: 1_000)
        case .epochMilliseconds: return epoch(value, scale: 1)
        case .iso, .local:
            guard case .text(let text) = value, let time = CalendarTime(text) else { return nil }
            if let offset = time.offset { return form == .iso ? bounded(time.clock - offset) : nil }
            return bounded(zone.utc(time.clock))
        }
    }

    private func epoch(_ value: FieldValue, scale: Int64) -> Milliseconds? {
        if case .integer(let whole) = value {
            let (time, isOver) = whole.multipliedReportingOverflow(by: scale)
            return isOver ? nil : bounded(time)
        }
        if case .bool = value { return nil }
        guard let number = value.doubleValue else { return nil }
        let time = (number * Double(scale)).rounded()
        return time > 0 && time <= Double(TimeReader.latest) ? Int64(time) : nil
    }

    private func bounded(_ time: Milliseconds) -> Milliseconds? { time > 0 && time <= TimeReader.latest ? time : nil }
}
