-- days, append

-- view almanac_days_events; watermark on at 97800000 ms behind, each once by vehicle, time, at
SELECT vehicle, type, route, time, speed, fuel, from_utc_timestamp(timestamp_millis(time), coalesce(try_element_at(map('Route\'1', 'Asia/Tokyo'), route), 'Europe/Rome')) AS at FROM (
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
    WHEN vehicleType_kind IS NULL THEN 'missing_type'
    WHEN vehicleType_kind <> 'STRING' THEN 'wrong_type'
    WHEN vehicleType_text = '' THEN 'empty_text'
    WHEN octet_length(vehicleType_text) > 128 THEN 'long_text'
    WHEN vehicleType_text LIKE '% ' THEN 'trailing_space'
    WHEN vehicleType_text RLIKE '[\\x00-\\x1F\\x7F-\\x9F]' THEN 'control_character'
    WHEN routeId_kind IS NULL THEN 'missing_route'
    WHEN routeId_kind <> 'STRING' THEN 'wrong_type'
    WHEN routeId_text = '' THEN 'empty_text'
    WHEN octet_length(routeId_text) > 128 THEN 'long_text'
    WHEN routeId_text LIKE '% ' THEN 'trailing_space'
    WHEN routeId_text RLIKE '[\\x00-\\x1F\\x7F-\\x9F]' THEN 'control_character'
    WHEN latitude_kind IS NULL THEN 'missing_latitude'
    WHEN latitude_number IS NULL THEN IF(latitude_kind = 'STRING', 'bad_number', 'wrong_type')
    WHEN NOT abs(latitude_number) <= 90 THEN 'latitude_range'
    WHEN longitude_kind IS NULL THEN 'missing_longitude'
    WHEN longitude_number IS NULL THEN IF(longitude_kind = 'STRING', 'bad_number', 'wrong_type')
    WHEN NOT abs(longitude_number) <= 180 THEN 'longitude_range'
    WHEN timestamp_kind IS NULL THEN 'missing_timestamp'
    WHEN timestamp_kind NOT IN ('STRING', 'BIGINT') AND NOT timestamp_kind LIKE 'DECIMAL(%,0)' THEN 'wrong_type'
    WHEN time IS NULL THEN IF(timestamp_text RLIKE '^([0-9]{4})-([0-9]{2})-([0-9]{2})[ Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})([.][0-9]{1,9})?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?$', 'impossible_date', 'bad_timestamp')
    WHEN time <= 0 OR time >= 253402300800000 THEN 'timestamp_range'
    WHEN time > unix_millis(current_timestamp()) + 60000 THEN 'future'
    WHEN speed_kind <> 'VOID' AND speed_number IS NULL THEN IF(speed_kind = 'STRING', 'bad_number', 'wrong_type')
    WHEN speed_kind <> 'VOID' AND NOT (speed_number BETWEEN 0 AND 1000) THEN 'speed_range'
    WHEN fuelLevel_kind <> 'VOID' AND fuelLevel_number IS NULL THEN IF(fuelLevel_kind = 'STRING', 'bad_number', 'wrong_type')
    WHEN fuelLevel_kind <> 'VOID' AND NOT (fuelLevel_number BETWEEN 0 AND 100) THEN 'fuel_range'
  END AS fault
FROM (
SELECT *, IF(shift = '', unix_millis(to_utc_timestamp(timestamp_millis(moment), 'Europe/Rome')), moment) AS time
FROM (
SELECT *, CASE WHEN shift IS NULL THEN whole
    ELSE whole + IF(fraction = '', 0, CAST(rpad(substr(fraction, 2, 3), 3, '0') AS INT))
      + CASE WHEN shift IN ('', 'Z', 'z') THEN 0L
        WHEN CAST(substr(shift, 2, 2) AS INT) > 18 OR substr(replace(shift, ':', ''), 4, 2) >= '60' THEN NULL
        ELSE IF(substr(shift, 1, 1) = '-', 1, -1)
          * (CAST(substr(shift, 2, 2) AS INT) * 60 + IF(length(shift) > 3, CAST(right(shift, 2) AS INT), 0)) * 60000L END
    END AS moment
FROM (
SELECT *,
  CASE WHEN latitude_kind = 'STRING' THEN IF(latitude_text RLIKE '^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?$', try_cast(latitude_text AS DOUBLE), NULL)
    WHEN latitude_kind LIKE 'DECIMAL%' OR latitude_kind IN ('BIGINT', 'DOUBLE') THEN try_variant_get(json, '$.latitude', 'double') END AS latitude_number,
  CASE WHEN longitude_kind = 'STRING' THEN IF(longitude_text RLIKE '^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?$', try_cast(longitude_text AS DOUBLE), NULL)
    WHEN longitude_kind LIKE 'DECIMAL%' OR longitude_kind IN ('BIGINT', 'DOUBLE') THEN try_variant_get(json, '$.longitude', 'double') END AS longitude_number,
  CASE WHEN speed_kind = 'STRING' THEN IF(speed_text RLIKE '^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?$', try_cast(speed_text AS DOUBLE), NULL)
    WHEN speed_kind LIKE 'DECIMAL%' OR speed_kind IN ('BIGINT', 'DOUBLE') THEN try_variant_get(json, '$.speed', 'double') END AS speed_number,
  CASE WHEN fuelLevel_kind = 'STRING' THEN IF(fuelLevel_text RLIKE '^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?$', try_cast(fuelLevel_text AS DOUBLE), NULL)
    WHEN fuelLevel_kind LIKE 'DECIMAL%' OR fuelLevel_kind IN ('BIGINT', 'DOUBLE') THEN try_variant_get(json, '$.fuelLevel', 'double') END AS fuelLevel_number,
  IF(timestamp_text RLIKE '^([0-9]{4})-([0-9]{2})-([0-9]{2})[ Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})([.][0-9]{1,9})?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?$', regexp_extract(timestamp_text, '^([0-9]{4})-([0-9]{2})-([0-9]{2})[ Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})([.][0-9]{1,9})?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?$', 7), NULL) AS fraction,
  IF(timestamp_text RLIKE '^([0-9]{4})-([0-9]{2})-([0-9]{2})[ Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})([.][0-9]{1,9})?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?$', regexp_extract(timestamp_text, '^([0-9]{4})-([0-9]{2})-([0-9]{2})[ Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})([.][0-9]{1,9})?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?$', 8), NULL) AS shift,
  CASE WHEN timestamp_kind NOT IN ('STRING', 'BIGINT') AND NOT timestamp_kind LIKE 'DECIMAL(%,0)' THEN NULL
    WHEN timestamp_text RLIKE '^[0-9]{1,18}$' THEN CAST(timestamp_text AS BIGINT)
    WHEN timestamp_text RLIKE '^([0-9]{4})-([0-9]{2})-([0-9]{2})[ Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})([.][0-9]{1,9})?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?$' AND substr(timestamp_text, 12, 2) < '24' AND substr(timestamp_text, 15, 2) < '60'
      AND substr(timestamp_text, 18, 2) < '60'
    THEN unix_date(try_cast(substr(timestamp_text, 1, 10) AS DATE)) * 86400000L + CAST(substr(timestamp_text, 12, 2) AS INT) * 3600000
      + CAST(substr(timestamp_text, 15, 2) AS INT) * 60000 + CAST(substr(timestamp_text, 18, 2) AS INT) * 1000
  END AS whole
FROM (
SELECT value, json, schema_of_variant(json) AS kind,
  schema_of_variant(try_variant_get(json, '$.vehicleId', 'variant')) AS vehicleId_kind, try_variant_get(json, '$.vehicleId', 'string') AS vehicleId_text,
  schema_of_variant(try_variant_get(json, '$.vehicleType', 'variant')) AS vehicleType_kind, try_variant_get(json, '$.vehicleType', 'string') AS vehicleType_text,
  schema_of_variant(try_variant_get(json, '$.routeId', 'variant')) AS routeId_kind, try_variant_get(json, '$.routeId', 'string') AS routeId_text,
  schema_of_variant(try_variant_get(json, '$.latitude', 'variant')) AS latitude_kind, try_variant_get(json, '$.latitude', 'string') AS latitude_text,
  schema_of_variant(try_variant_get(json, '$.longitude', 'variant')) AS longitude_kind, try_variant_get(json, '$.longitude', 'string') AS longitude_text,
  schema_of_variant(try_variant_get(json, '$.timestamp', 'variant')) AS timestamp_kind, try_variant_get(json, '$.timestamp', 'string') AS timestamp_text,
  schema_of_variant(try_variant_get(json, '$.speed', 'variant')) AS speed_kind, try_variant_get(json, '$.speed', 'string') AS speed_text,
  schema_of_variant(try_variant_get(json, '$.fuelLevel', 'variant')) AS fuelLevel_kind, try_variant_get(json, '$.fuelLevel', 'string') AS fuelLevel_text
FROM (
SELECT value, IF(try_parse_json(concat('{"e":', value, '}')) IS NULL OR try_variant_get(list, '$[1]', 'variant') IS NOT NULL, NULL,
    try_variant_get(list, '$[0]', 'variant')) AS json
FROM (SELECT value, try_parse_json(concat('[', value, ']')) AS list FROM almanac_raw))
))
))
) WHERE fault IS NULL

-- view almanac_days_vehicles
SELECT window(at, '1 day') AS span, route, type, vehicle, count(*) AS events, max(time) AS time
FROM almanac_days_events GROUP BY 1, 2, 3, 4

-- view almanac_days_keys
SELECT span, route, type, count(*) AS vehicles, sum(events) AS events, max(time) AS time
FROM almanac_days_vehicles GROUP BY span, route, type

-- output
SELECT route AS key, to_json(named_struct('schema', 1, 'kind', 'total', 'routeId', route, 'results', array(named_struct('time', time, 'revision', 35184372088832L + time, 'vehicleType', type, 'day', date_format(span.start, 'yyyy-MM-dd'), 'vehicles', vehicles, 'events', events,
  'arrivals', 0L))),
  map('ignoreNullFields', 'false')) AS value
FROM almanac_days_keys
