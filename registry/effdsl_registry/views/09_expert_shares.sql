CREATE OR REPLACE VIEW expert_shares AS
SELECT
    key, cell, technique, seed,
    unnest(
        from_json(tables -> '$.expert_shares', '[{"layer": "BIGINT", "expert": "BIGINT", "share": "DOUBLE"}]'),
        recursive := true
    )
FROM internal.latest;

COMMENT ON VIEW expert_shares IS 'share of the held-out tokens'' work that each expert of a layer did: one row per task, layer and expert, counted from 0, latest attempt';
