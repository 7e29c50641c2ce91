CREATE OR REPLACE VIEW decoding AS
WITH rows AS (
    SELECT
        key, cell, technique, seed,
        unnest(
            from_json(
                tables -> '$.decoding',
                '[{"context": "BIGINT", "prefill_s": "DOUBLE", "decode_s_per_token": "DOUBLE", "cache_bytes": "BIGINT"}]'
            ),
            recursive := true
        )
    FROM internal.latest
)
SELECT
    key, cell, technique, seed, context, prefill_s, decode_s_per_token,
    1 / decode_s_per_token AS decode_tokens_per_s,
    cache_bytes
FROM rows;

COMMENT ON VIEW decoding IS 'decoding of one sequence by the trained model: one row per task and context, latest attempt';
