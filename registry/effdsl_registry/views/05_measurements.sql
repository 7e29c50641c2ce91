CREATE OR REPLACE VIEW measurements AS
WITH entries AS (
    SELECT key, cell, seed, unnest(map_entries(metrics)) AS entry FROM internal.latest WHERE outcome = 'ok'
)
SELECT key, cell, seed, entry.key AS metric, entry.value AS value
FROM entries
WHERE isfinite(entry.value);

COMMENT ON VIEW measurements IS 'results unpivoted: one row per ok task and metric that has a finite value';
