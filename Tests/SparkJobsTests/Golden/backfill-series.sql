SELECT TRANSFORM(series, time, value)
  ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t' LINES TERMINATED BY '\n' NULL DEFINED AS '\\N'
  USING './almanac transform'
  AS (line STRING)
  ROW FORMAT DELIMITED FIELDS TERMINATED BY '\u0001' LINES TERMINATED BY '\n' NULL DEFINED AS '\u0002'
FROM (SELECT series, time, value FROM (SELECT /*+ REPARTITION_BY_RANGE(series) */ * FROM (
SELECT * FROM (
SELECT series, at, coalesce(CAST(at AS STRING), clock) AS time, value FROM (SELECT *, coalesce(CAST(CASE WHEN abs(number) < 1e8 THEN NULL WHEN abs(number) < 1e11 THEN round(number * 1e3) WHEN abs(number) < 1e14 THEN round(number)
    WHEN abs(number) < 1e17 THEN round(number / 1e3) WHEN abs(number) < 1e20 THEN round(number / 1e6) END AS BIGINT), unix_millis(try_cast(clock AS TIMESTAMP))) AS at FROM (
  SELECT replace(replace(replace(CAST(`series` AS STRING), '\t', '\\t'), '\n', '\\n'), '\r', '\\r') AS series,
    try_cast(`time` AS DOUBLE) AS number,
    replace(replace(replace(CAST(`time` AS STRING), '\t', '\\t'), '\n', '\\n'), '\r', '\\r') AS clock,
    replace(replace(replace(nullif(trim(`value`), ''), '\t', '\\t'), '\n', '\\n'), '\r', '\\r') AS value
  FROM `main`.`samples`
))
) WHERE pmod(xxhash64(series), 1) = 0
)) SORT BY series, at)
