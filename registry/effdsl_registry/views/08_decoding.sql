CREATE OR REPLACE VIEW decoding AS
WITH latest AS (
    SELECT key, cell, technique, seed, decoding
    FROM internal.attempts
    QUALIFY row_number() OVER (PARTITION BY key ORDER BY finished_at DESC, attempt DESC) = 1
),
rows AS (
    SELECT
        * EXCLUDE (decoding),
        unnest(
            from_json(
                decoding,
                '[{"context": "BIGINT", "prefill_s": "DOUBLE", "decode_s_per_token": "DOUBLE", "cache_bytes": "BIGINT"}]'
            ),
            recursive := true
        )
    FROM latest
)
SELECT
    key, cell, technique, seed, context, prefill_s, decode_s_per_token,
    1 / decode_s_per_token AS decode_tokens_per_s,
    cache_bytes
FROM rows;

COMMENT ON VIEW decoding IS 'decoding of one sequence by the trained model: one row per task and context, latest attempt';
