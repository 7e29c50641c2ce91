-- Which repeats of one cell disagree about what no seed changes? Bytes per token and bytes of the cache follow from the
-- technique and the shape. A finding per cell and metric.
WITH fixed AS (
  SELECT cell, key, short_key, seen, 'kv_bytes_per_token' AS metric, kv_bytes_per_token AS value FROM taken
  UNION ALL
  SELECT cell, key, short_key, seen, 'cache_bytes', cache_bytes FROM taken
)
SELECT 'error' AS severity, min(short_key) AS "table", flatten(list(cells_of(seen, [metric]) ORDER BY key)) AS cells,
       format('{} is {} in repeats of one cell; it does not depend on the seed.', metric,
              list_aggregate(list_sort(list_distinct(list(format('{:.0f}', value)))), 'string_agg', ' and ')) AS explanation
FROM fixed WHERE value IS NOT NULL
GROUP BY cell, metric HAVING count(DISTINCT value) > 1
ORDER BY min(key), metric;
