/// SQL that reads vehicle events with the rules of docs/formats/iot-data-event.md: a column `value` with the JSON in, the event's parts and
/// `fault` out, which is null for a good event and else names the reason as the analyzer does.
///
/// Spark's own reader of JSON is stricter in one place (a member twice, also a nested one, is `syntax`) and cannot tell some reasons apart.
struct TrafficDecoding {
    /// Zone of timestamps without an offset.
    var zone: String
    /// Milliseconds ahead of the wall clock that are still taken.
    var futureBound: Int64

    private static let members = ["vehicleId", "vehicleType", "routeId", "latitude", "longitude", "timestamp", "speed", "fuelLevel"]
    private static let number = #"'^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?$'"#
    private static let clock =
        #"'^([0-9]{4})-([0-9]{2})-([0-9]{2})[ Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})([.][0-9]{1,9})?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?$'"#

    /// Rows of `source` with `vehicle, type, route, time, speed, fuel, fault`.
    func sql(from source: String) -> String {
        """
        SELECT value, lower(vehicleId_text) AS vehicle, vehicleType_text AS type, routeId_text AS route, time, speed_number AS speed,
          fuelLevel_number AS fuel,
          CASE
            WHEN octet_length(value) > 65536 THEN 'too_long'
            WHEN NOT is_valid_utf8(value) THEN 'not_utf8'
            WHEN trim(value) = '' THEN 'empty'
            WHEN json IS NULL THEN 'syntax'
            WHEN NOT kind LIKE 'OBJECT<%' THEN 'not_an_object'
            WHEN vehicleId_kind IS NULL THEN 'missing_vehicle'
            WHEN vehicleId_kind <> 'STRING' THEN 'wrong_type'
            WHEN NOT vehicleId_text RLIKE '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' THEN 'not_uuid'
        \(name("vehicleType", missing: "missing_type"))
        \(name("routeId", missing: "missing_route"))
        \(coordinate("latitude", bound: 90))
        \(coordinate("longitude", bound: 180))
            WHEN timestamp_kind IS NULL THEN 'missing_timestamp'
            WHEN timestamp_kind NOT IN ('STRING', 'BIGINT') AND NOT timestamp_kind LIKE 'DECIMAL(%,0)' THEN 'wrong_type'
            WHEN time IS NULL THEN IF(timestamp_text RLIKE \(Self.clock), 'impossible_date', 'bad_timestamp')
            WHEN time <= 0 OR time >= 253402300800000 THEN 'timestamp_range'
            WHEN time > unix_millis(current_timestamp()) + \(futureBound) THEN 'future'
        \(optional("speed", bound: 1000, range: "speed_range"))
        \(optional("fuelLevel", bound: 100, range: "fuel_range"))
          END AS fault
        FROM (
        SELECT *, IF(shift = '', unix_millis(to_utc_timestamp(timestamp_millis(moment), \(SQLText.literal(zone)))), moment) AS time
        FROM (
        \(moments(source))
        ))
        """
    }

    /// `moment`: milliseconds, local ones where `shift` is empty.
    private func moments(_ source: String) -> String {
        """
        SELECT *, CASE WHEN shift IS NULL THEN whole
            ELSE whole + IF(fraction = '', 0, CAST(rpad(substr(fraction, 2, 3), 3, '0') AS INT))
              + CASE WHEN shift IN ('', 'Z', 'z') THEN 0L
                WHEN CAST(substr(shift, 2, 2) AS INT) > 18 OR substr(replace(shift, ':', ''), 4, 2) >= '60' THEN NULL
                ELSE IF(substr(shift, 1, 1) = '-', 1, -1)
                  * (CAST(substr(shift, 2, 2) AS INT) * 60 + IF(length(shift) > 3, CAST(right(shift, 2) AS INT), 0)) * 60000L END
            END AS moment
        FROM (
        SELECT *,
          \(["latitude", "longitude", "speed", "fuelLevel"].map { "\(number($0)) AS \($0)_number" }.joined(separator: ",\n  ")),
          IF(timestamp_text RLIKE \(Self.clock), regexp_extract(timestamp_text, \(Self.clock), 7), NULL) AS fraction,
          IF(timestamp_text RLIKE \(Self.clock), regexp_extract(timestamp_text, \(Self.clock), 8), NULL) AS shift,
          CASE WHEN timestamp_kind NOT IN ('STRING', 'BIGINT') AND NOT timestamp_kind LIKE 'DECIMAL(%,0)' THEN NULL
            WHEN timestamp_text RLIKE '^[0-9]{1,18}$' THEN CAST(timestamp_text AS BIGINT)
            WHEN timestamp_text RLIKE \(Self.clock) AND substr(timestamp_text, 12, 2) < '24' AND substr(timestamp_text, 15, 2) < '60'
              AND substr(timestamp_text, 18, 2) < '60'
            THEN unix_date(try_cast(substr(timestamp_text, 1, 10) AS DATE)) * 86400000L + CAST(substr(timestamp_text, 12, 2) AS INT) * 3600000
              + CAST(substr(timestamp_text, 15, 2) AS INT) * 60000 + CAST(substr(timestamp_text, 18, 2) AS INT) * 1000
          END AS whole
        FROM (
        \(texts(source))
        ))
        """
    }

    /// Each member's kind and text. parse_json takes what follows a value for nothing; in a list and in an object it cannot.
    private func texts(_ source: String) -> String {
        """
        SELECT value, json, schema_of_variant(json) AS kind,
          \(Self.members.map { "schema_of_variant(try_variant_get(json, '$.\($0)', 'variant')) AS \($0)_kind, try_variant_get(json, '$.\($0)', 'string') AS \($0)_text" }.joined(separator: ",\n  "))
        FROM (
        SELECT value, IF(try_parse_json(concat('{"e":', value, '}')) IS NULL OR try_variant_get(list, '$[1]', 'variant') IS NOT NULL, NULL,
            try_variant_get(list, '$[0]', 'variant')) AS json
        FROM (SELECT value, try_parse_json(concat('[', value, ']')) AS list FROM \(source)))
        """
    }

    private func number(_ name: String) -> String {
        """
        CASE WHEN \(name)_kind = 'STRING' THEN IF(\(name)_text RLIKE \(Self.number), try_cast(\(name)_text AS DOUBLE), NULL)
            WHEN \(name)_kind LIKE 'DECIMAL%' OR \(name)_kind IN ('BIGINT', 'DOUBLE') THEN try_variant_get(json, '$.\(name)', 'double') END
        """
    }

    private func name(_ name: String, missing: String) -> String {
        """
            WHEN \(name)_kind IS NULL THEN '\(missing)'
            WHEN \(name)_kind <> 'STRING' THEN 'wrong_type'
            WHEN \(name)_text = '' THEN 'empty_text'
            WHEN octet_length(\(name)_text) > 128 THEN 'long_text'
            WHEN \(name)_text LIKE '% ' THEN 'trailing_space'
            WHEN \(name)_text RLIKE '[\\\\x00-\\\\x1F\\\\x7F-\\\\x9F]' THEN 'control_character'
        """
    }

    private func coordinate(_ name: String, bound: Int) -> String {
        """
            WHEN \(name)_kind IS NULL THEN 'missing_\(name)'
            WHEN \(name)_number IS NULL THEN IF(\(name)_kind = 'STRING', 'bad_number', 'wrong_type')
            WHEN NOT abs(\(name)_number) <= \(bound) THEN '\(name)_range'
        """
    }

    /// May be absent or null.
    private func optional(_ name: String, bound: Int, range: String) -> String {
        """
            WHEN \(name)_kind <> 'VOID' AND \(name)_number IS NULL THEN IF(\(name)_kind = 'STRING', 'bad_number', 'wrong_type')
            WHEN \(name)_kind <> 'VOID' AND NOT (\(name)_number BETWEEN 0 AND \(bound)) THEN '\(range)'
        """
    }
}
