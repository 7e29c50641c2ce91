CREATE OR REPLACE VIEW loss_curves AS
WITH named AS (
    SELECT key, unnest(map_entries(from_json(curves, '"MAP(VARCHAR, DOUBLE[][])"'))) AS curve FROM internal.latest
),
points AS (SELECT key, curve.key AS kind, unnest(curve.value) AS point FROM named)
SELECT key, point[1]::BIGINT AS step, point[2] AS loss, kind FROM points;

COMMENT ON VIEW loss_curves IS 'loss in nats per token along training; kind is train or held_out, NULL where not finite';
