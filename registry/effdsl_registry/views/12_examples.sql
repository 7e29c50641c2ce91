CREATE OR REPLACE VIEW examples AS
SELECT
    key, cell, technique, seed,
    unnest(
        from_json(
            tables -> '$.examples',
            '[{"training": "BIGINT", "truncated": "BIGINT", "held_out_tokens": "BIGINT", "held_out_bytes": "BIGINT"}]'
        ),
        recursive := true
    )
FROM internal.latest;

COMMENT ON VIEW examples IS 'what was fine-tuned on, as the model''s tokenizer cut it: one row per task, latest attempt; training examples, how many of them lost their end to the context, and the predicted tokens of the held-out examples with the bytes of text that they stand for';
