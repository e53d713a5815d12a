/// The ways in which a report is broken. None of them contains a line feed, and none begins as an array does: a body of lines that began with it
/// might be taken for an array of events.
package enum Fault: UInt8, CaseIterable, Sendable {
    case truncated, words, quoted, bareNaN, invalidUTF8, trailingText
    case emptyObject, noVehicleID, noVehicleType, noRouteID, noLatitude, nullTimestamp
    case vehicleIDNoUUID
    case latitudeInWords, speedInWords
    case latitudeBeyondPole, longitudeBeyondDateLine, speedNegative
    case timestampInWords, timestampImpossible

    /// What the reason of a refusal is about.
    package enum Family: String, CaseIterable, Sendable {
        /// Not one JSON object in UTF-8.
        case json
        /// A field that must be there is absent or null.
        case missing
        /// A vehicle id that is no UUID.
        case vehicle
        /// Neither a number nor a numeric string.
        case number
        /// A number that cannot be.
        case range
        /// A timestamp in none of the three forms, or of no real date.
        case time
    }

    package var family: Family {
        switch self {
        case .truncated, .words, .quoted, .bareNaN, .invalidUTF8, .trailingText: .json
        case .emptyObject, .noVehicleID, .noVehicleType, .noRouteID, .noLatitude, .nullTimestamp: .missing
        case .vehicleIDNoUUID: .vehicle
        case .latitudeInWords, .speedInWords: .number
        case .latitudeBeyondPole, .longitudeBeyondDateLine, .speedNegative: .range
        case .timestampInWords, .timestampImpossible: .time
        }
    }

    package var name: String {
        switch self {
        case .truncated: "truncated"
        case .words: "words"
        case .quoted: "quoted"
        case .bareNaN: "bare-nan"
        case .invalidUTF8: "invalid-utf8"
        case .trailingText: "trailing-text"
        case .emptyObject: "empty-object"
        case .noVehicleID: "no-vehicle-id"
        case .noVehicleType: "no-vehicle-type"
        case .noRouteID: "no-route-id"
        case .noLatitude: "no-latitude"
        case .nullTimestamp: "null-timestamp"
        case .vehicleIDNoUUID: "vehicle-id-no-uuid"
        case .latitudeInWords: "latitude-in-words"
        case .speedInWords: "speed-in-words"
        case .latitudeBeyondPole: "latitude-beyond-pole"
        case .longitudeBeyondDateLine: "longitude-beyond-date-line"
        case .speedNegative: "speed-negative"
        case .timestampInWords: "timestamp-in-words"
        case .timestampImpossible: "timestamp-impossible"
        }
    }

    /// The field whose value is another than it should be, and that value; nil: the field is left out.
    var change: (field: EventWriter.Field, value: String?)? {
        switch self {
        case .bareNaN: (.latitude, "NaN")
        case .noVehicleID: (.vehicleID, nil)
        case .noVehicleType: (.vehicleType, nil)
        case .noRouteID: (.routeID, nil)
        case .noLatitude: (.latitude, nil)
        case .nullTimestamp: (.timestamp, "null")
        case .vehicleIDNoUUID: (.vehicleID, "\"vehicle 17\"")
        case .latitudeInWords: (.latitude, "\"north\"")
        case .speedInWords: (.speed, "\"fast\"")
        case .latitudeBeyondPole: (.latitude, "91.5")
        case .longitudeBeyondDateLine: (.longitude, "-180.25")
        case .speedNegative: (.speed, "-5.0")
        case .timestampInWords: (.timestamp, "\"yesterday\"")
        case .timestampImpossible: (.timestamp, "\"2026-02-30T25:61:00Z\"")
        case .truncated, .words, .quoted, .invalidUTF8, .trailingText, .emptyObject: nil
        }
    }
}
