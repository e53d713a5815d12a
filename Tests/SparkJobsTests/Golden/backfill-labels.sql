SELECT TRANSFORM(series, time, value, type)
  ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t' LINES TERMINATED BY '\n' NULL DEFINED AS '\\N'
  USING 'almanac transform --windows 1h,3h --from=-5 --type-column'
  AS (line STRING)
  ROW FORMAT DELIMITED FIELDS TERMINATED BY '\u0001' LINES TERMINATED BY '\n' NULL DEFINED AS '\u0002'
FROM (SELECT series, time, value, type FROM (SELECT /*+ REPARTITION_BY_RANGE(series) */ * FROM (
SELECT * FROM (
SELECT concat(IF(name RLIKE '^[A-Za-z_:][A-Za-z0-9_:]*$', name, ''), IF(labels = '', '', concat('{', labels, '}'))) AS series, at, coalesce(CAST(at AS STRING), clock) AS time, value, type FROM (SELECT *, coalesce(number, NULL) AS at FROM (
  SELECT CAST(`metric` AS STRING) AS name,
    concat_ws(',',
      IF(CAST(`metric` AS STRING) RLIKE '^[A-Za-z_:][A-Za-z0-9_:]*$', NULL, concat('"', replace(replace(replace(replace(replace(CAST(`metric` AS STRING), '\\', '\\\\'), '"', '\\"'), '\t', '\\t'), '\n', '\\n'), '\r', '\\r'), '"')),
      concat('host=', concat('"', replace(replace(replace(replace(replace(nullif(CAST(`host` AS STRING), ''), '\\', '\\\\'), '"', '\\"'), '\t', '\\t'), '\n', '\\n'), '\r', '\\r'), '"')),
      concat('"odd `name"=', concat('"', replace(replace(replace(replace(replace(nullif(CAST(`odd ``name` AS STRING), ''), '\\', '\\\\'), '"', '\\"'), '\t', '\\t'), '\n', '\\n'), '\r', '\\r'), '"'))) AS labels,
    unix_millis(`ts`) AS number,
    replace(replace(replace(CAST(`ts` AS STRING), '\t', '\\t'), '\n', '\\n'), '\r', '\\r') AS clock,
    CAST(`value` AS STRING) AS value,
    replace(replace(replace(CAST(`type` AS STRING), '\t', '\\t'), '\n', '\\n'), '\r', '\\r') AS type
  FROM almanac_backfill_input
  WHERE (coalesce(CAST(`host` AS STRING), '') = 'a\'b\\' AND coalesce(CAST(`metric` AS STRING), '') RLIKE '^(?:up|down)$') OR (NOT '' RLIKE '^(?:x)$')
))
) WHERE pmod(xxhash64(series), 8) = 3 AND (at IS NULL OR at >= -5) AND (at IS NULL OR at <= 1769860800000)
)) SORT BY series, at)
