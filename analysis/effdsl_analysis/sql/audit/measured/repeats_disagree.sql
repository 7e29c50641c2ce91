-- Which repeats of one cell disagree about what no seed changes? Bytes of the cache, what is trained, what is saved of
-- it and what weights take in a precision follow from the technique and the shape. A finding per cell and metric.
WITH fixed AS (
  SELECT cell, key, short_key, seen, metric, value FROM taken JOIN (SELECT key, metric, value FROM measurements) USING (key)
  WHERE metric IN ('kv_bytes_per_token', 'cache_bytes', 'trainable_parameters', 'adapter_bytes', 'weight_bytes')
)
SELECT 'error' AS severity, min(short_key) AS "table", flatten(list(cells_of(seen, [metric]) ORDER BY key)) AS cells,
       format('{} is {} in repeats of one cell; it does not depend on the seed.', metric,
              list_aggregate(list_sort(list_distinct(list(format('{:.0f}', value)))), 'string_agg', ' and ')) AS explanation
FROM fixed WHERE value IS NOT NULL
GROUP BY cell, metric HAVING count(DISTINCT value) > 1
ORDER BY min(key), metric;
