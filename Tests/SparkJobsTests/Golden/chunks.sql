SELECT TRANSFORM(series, type, start, chunk)
  ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t' LINES TERMINATED BY '\n' NULL DEFINED AS '\\N'
  USING 'almanac transform --chunks --windows 1h --from \'it\'\\\'\'s\''
  AS (line STRING)
  ROW FORMAT DELIMITED FIELDS TERMINATED BY '\u0001' LINES TERMINATED BY '\n' NULL DEFINED AS '\u0002'
FROM (SELECT series, type, start, replace(base64(data), '\r\n', '') AS chunk FROM (SELECT /*+ REPARTITION_BY_RANGE(series) */ * FROM (
SELECT series, type, start, data FROM almanac_chunks_7
)) SORT BY series, start)
