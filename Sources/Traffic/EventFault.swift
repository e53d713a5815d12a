/// Why an event was refused. The raw value names it in metrics and in the dead-letter topic.
package enum EventFault: String, Error, Sendable, CaseIterable {
    case empty
    case notAnObject = "not_an_object"
    case endsEarly = "ends_early"
    case syntax
    case trailingBytes = "trailing_bytes"
    case tooDeep = "too_deep"
    case tooLong = "too_long"
    case controlCharacter = "control_character"
    case badEscape = "bad_escape"
    case notUTF8 = "not_utf8"
    case badNumber = "bad_number"
    case duplicateMember = "duplicate_member"
    case wrongType = "wrong_type"
    case missingVehicle = "missing_vehicle"
    case missingType = "missing_type"
    case missingRoute = "missing_route"
    case missingLatitude = "missing_latitude"
    case missingLongitude = "missing_longitude"
    case missingTimestamp = "missing_timestamp"
    case notUUID = "not_uuid"
    case emptyText = "empty_text"
    case longText = "long_text"
    case trailingSpace = "trailing_space"
    case latitudeRange = "latitude_range"
    case longitudeRange = "longitude_range"
    case badTimestamp = "bad_timestamp"
    case impossibleDate = "impossible_date"
    case timestampRange = "timestamp_range"
    case speedRange = "speed_range"
    case fuelRange = "fuel_range"
}

/// A refused event: why, and in words what and where.
package struct MalformedEvent: Error, Sendable, Equatable, CustomStringConvertible {
    package var fault: EventFault
    package var detail: String
    package var description: String { detail }

    package init(fault: EventFault, detail: String) {
        self.fault = fault
        self.detail = detail
    }
}
