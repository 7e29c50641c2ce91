-- Which generations need more memory bandwidth than the devices have? Each step reads all weights once, whatever the number of
-- sequences, so that tokens/s × bytes of the weights / sequences is at most the bandwidth of all devices. Assumed is that
-- the weights do not stay in a cache (those under 200 MB may, and are left out) and that all are read: up to half may be an
-- embedding that is looked up, so what is less than twice the bandwidth is a warning. A finding per result and rate.
WITH loads AS (
  SELECT *,
         nullif(regexp_extract(load, '^batch ([0-9]+)', 1), '')::INTEGER AS first_batch,
         list_max(list_transform(regexp_extract_all(nullif(regexp_extract(load, '^batch ([0-9, ]+)', 1), ''), '[0-9]+'),
                                 lambda size: size::INTEGER)) AS largest_batch,
         nullif(regexp_extract(load, ', ([0-9]+) at a time', 1), '')::INTEGER AS concurrency
  FROM taken WHERE weight_bytes > 2e8
),
rates AS (
  SELECT key, short_key, seen, hardware, hardware_count, weight_bytes, bandwidth, 'it_tokens_per_s' AS metric, it_tokens_per_s AS rate,
         coalesce(first_batch, concurrency) AS sequences FROM loads
  UNION ALL
  -- Of requests that overlap this rate is that of one.
  SELECT key, short_key, seen, hardware, hardware_count, weight_bytes, bandwidth, 'decode_tokens_per_s', decode_tokens_per_s,
         coalesce(first_batch, 1) FROM loads
  UNION ALL
  SELECT key, short_key, seen, hardware, hardware_count, weight_bytes, bandwidth, 'batched_tokens_per_s', batched_tokens_per_s,
         largest_batch FROM loads
),
judged AS (SELECT *, rate * weight_bytes / sequences / (bandwidth * hardware_count) AS times FROM rates)
SELECT CASE WHEN times > 2 THEN 'error' ELSE 'warning' END AS severity, short_key AS "table",
       cells_of(seen, [metric, 'weight_bytes']) AS cells,
       format('{} is {:.5g} with {} sequences at once: reading {:.4g} GB of weights for each step takes {:.3g} times the bandwidth '
              || 'of {} × {}.', metric, rate, sequences, weight_bytes / 1e9, times, hardware_count, hardware) AS explanation
FROM judged WHERE times > 1
ORDER BY key, metric;
