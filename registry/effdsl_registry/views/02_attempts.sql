-- {shown_digits}: of effdsl.key; {metric_columns}: metrics['ppl'] AS ppl, … for every metric.
CREATE OR REPLACE VIEW attempts AS
SELECT
    key,
    left(key, {shown_digits}) AS short_key,
    * EXCLUDE (key, metrics, loss_curve, eval_curve, decoding, expert_shares, checksum) REPLACE (
        from_json(missing, '"MAP(VARCHAR, VARCHAR)"') AS missing,
        from_json(libraries, '"MAP(VARCHAR, VARCHAR)"') AS libraries
    ),
    {metric_columns}
FROM internal.attempts;

COMMENT ON VIEW attempts IS 'one row per attempt at a task, whatever its outcome';
