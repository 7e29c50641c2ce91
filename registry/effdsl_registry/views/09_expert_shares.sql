CREATE OR REPLACE VIEW expert_shares AS
WITH latest AS (
    SELECT key, cell, technique, seed, from_json(expert_shares, '[["DOUBLE"]]') AS layers
    FROM internal.attempts
    QUALIFY row_number() OVER (PARTITION BY key ORDER BY finished_at DESC, attempt DESC) = 1
),
by_layer AS (
    SELECT
        key, cell, technique, seed,
        generate_subscripts(layers, 1) - 1 AS layer,
        unnest(layers) AS shares
    FROM latest
)
SELECT
    key, cell, technique, seed, layer,
    generate_subscripts(shares, 1) - 1 AS expert,
    unnest(shares) AS share
FROM by_layer;

COMMENT ON VIEW expert_shares IS 'share of the held-out tokens'' work that each expert of a layer did: one row per task, layer and expert, counted from 0, latest attempt';
