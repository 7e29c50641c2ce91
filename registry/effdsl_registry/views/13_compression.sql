-- Eq. 9 of EfficientLLM for weights that are stored in fewer bits: of ok results of a stage that compares precisions, against
-- the reference of the same weights, setting, hardware and engine: the usual precision where it is there, else that of the
-- most bits. Repeats go together by their seeds. A row per task and kind of score.
CREATE OR REPLACE VIEW compression AS
WITH stored AS (
    SELECT
        key, cell, technique, seed, weight_bytes, (details ->> 'bits')::INTEGER AS bits,
        (choices -> '$.precision' ->> 'usual')::BOOLEAN AS usual,
        row(stage, scale, hardware, hardware_count, setting, engine, engine_version, evidence) AS compared,
        list_filter([
            {'score_of': 'avg_perf', 'score': avg_perf},
            {'score_of': 'cloze', 'score': cloze},
            {'score_of': '1/ppl', 'score': 1 / nullif(ppl, 0)}
        ], lambda one: one.score IS NOT NULL) AS scored
    FROM results
    WHERE outcome = 'ok' AND json_exists(choices, '$.precision')
),
reference AS (
    SELECT compared, cell FROM (SELECT DISTINCT compared, cell, technique, usual, bits FROM stored)
    QUALIFY row_number() OVER (PARTITION BY compared ORDER BY usual DESC, bits DESC, technique, cell) = 1
),
scores_of AS (
    SELECT * EXCLUDE (scored, one), one.score_of AS score_of, one.score AS score
    FROM (SELECT *, unnest(CASE WHEN scored = [] THEN [NULL] ELSE scored END) AS one FROM stored)
),
originals AS (SELECT s.* FROM scores_of AS s JOIN reference AS r ON r.compared = s.compared AND r.cell = s.cell),
named AS (SELECT o.compared, any_value(o.technique) AS technique FROM originals AS o GROUP BY o.compared),
beside AS (
    SELECT
        s.key, s.cell, s.technique, s.seed, n.technique AS reference, o.key AS reference_key, s.score_of,
        o.weight_bytes / nullif(s.weight_bytes, 0) AS size_ratio, o.bits / s.bits AS nominal_size_ratio,
        s.score / nullif(o.score, 0) AS score_ratio,
        CASE
            WHEN s.score_of IS NULL THEN 'no score was measured'
            WHEN o.key IS NULL THEN format('no result of {} with the seed {} has this score', n.technique, s.seed)
            WHEN o.score = 0 THEN format('{} scores 0', n.technique)
            WHEN size_ratio IS NULL THEN 'bytes of the weights were not measured'
            ELSE ''
        END AS reason
    FROM scores_of AS s
    JOIN named AS n ON n.compared = s.compared
    LEFT JOIN originals AS o ON o.compared = s.compared AND o.seed = s.seed AND o.score_of IS NOT DISTINCT FROM s.score_of
)
SELECT
    key, cell, technique, seed, reference, reference_key, score_of, size_ratio, nominal_size_ratio, score_ratio,
    size_ratio * score_ratio AS mcr, nominal_size_ratio * score_ratio AS nominal_mcr, reason
FROM beside;

COMMENT ON VIEW compression IS 'eq. 9 of the paper, MCR, of weights stored in a precision against the usual one: by bytes in memory, and by nominal bits; one row per ok task and kind of score, reason says why a value is NULL';
