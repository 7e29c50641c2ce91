CREATE OR REPLACE VIEW loss_curves AS
WITH latest AS (
    SELECT key, loss_curve, eval_curve
    FROM internal.attempts
    QUALIFY row_number() OVER (PARTITION BY key ORDER BY finished_at DESC, attempt DESC) = 1
),
points AS (
    SELECT key, 'train' AS kind, unnest(from_json(loss_curve, '[["DOUBLE"]]')) AS point FROM latest
    UNION ALL
    SELECT key, 'held_out' AS kind, unnest(from_json(eval_curve, '[["DOUBLE"]]')) AS point FROM latest
)
SELECT key, point[1]::BIGINT AS step, point[2] AS loss, kind FROM points;

COMMENT ON VIEW loss_curves IS 'loss in nats per token along training; kind is train or held_out, NULL where not finite';
