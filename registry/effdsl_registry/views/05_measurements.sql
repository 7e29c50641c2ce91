CREATE OR REPLACE VIEW measurements AS
WITH latest AS (
    SELECT key, cell, seed, metrics
    FROM internal.attempts
    QUALIFY row_number() OVER (PARTITION BY key ORDER BY finished_at DESC, attempt DESC) = 1 AND outcome = 'ok'
),
entries AS (SELECT key, cell, seed, unnest(map_entries(metrics)) AS entry FROM latest)
SELECT key, cell, seed, entry.key AS metric, entry.value AS value
FROM entries
WHERE isfinite(entry.value);

COMMENT ON VIEW measurements IS 'results unpivoted: one row per ok task and metric that has a finite value';
