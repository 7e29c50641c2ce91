-- {shown_digits}: of effdsl.key; {stage_columns}: what the stages call their axes, settings and details;
-- {metric_columns}: metrics['ppl'] AS ppl, … for every metric.
CREATE OR REPLACE VIEW attempts AS
SELECT
    key,
    left(key, {shown_digits}) AS short_key,
    * EXCLUDE (key, metrics, curves, tables, scores, items, artifacts, files, checksum) REPLACE (
        from_json(missing, '"MAP(VARCHAR, VARCHAR)"') AS missing,
        from_json(libraries, '"MAP(VARCHAR, VARCHAR)"') AS libraries
    ),
    artifacts ->> '$.sample' AS sample,
    {stage_columns},
    {metric_columns}
FROM internal.attempts;

COMMENT ON VIEW attempts IS 'one row per attempt at a task, whatever its outcome';

-- The latest attempt at each key. Attempt breaks the tie of two that finished in the same microsecond.
CREATE OR REPLACE VIEW internal.latest AS
SELECT * FROM internal.attempts
QUALIFY row_number() OVER (PARTITION BY key ORDER BY finished_at DESC, attempt DESC) = 1;
