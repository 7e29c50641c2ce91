-- Does the cache hold what it grows by? Over a context of n tokens it has grown by n times the bytes per token, and a longer
-- context never takes less. A finding per result and bound.
WITH longer AS (
  SELECT key, context, cache_bytes, lag(cache_bytes) OVER (PARTITION BY key ORDER BY context) AS before FROM decoding
)
SELECT 'error' AS severity, short_key AS "table", cells_of(seen, ['cache_bytes', 'kv_bytes_per_token']) AS cells,
       format('The cache has {:.0f} bytes at a context of {} tokens, less than {} tokens × {:.0f} bytes.', cache_bytes,
              context_length, context_length, kv_bytes_per_token) AS explanation, key
FROM taken WHERE cache_bytes < kv_bytes_per_token * context_length * (1 - 1e-6)
UNION ALL
SELECT 'error', t.short_key, cells_of(t.seen, ['cache_bytes']),
       format('The cache has {} bytes at a context of {} tokens, less than the {} of the shorter one before.',
              l.cache_bytes, l.context, l.before), t.key
FROM longer l JOIN taken t USING (key) WHERE l.cache_bytes < l.before
ORDER BY key, explanation;
