-- MoE adds up to 3.5 percentage points of accuracy (Table 5).
-- Table 5 prints no accuracy, so only evidence with a benchmark score of MoE and dense language models can say. Dense
-- models from one expert's size to six times that, as in the table.
WITH scores AS (
  SELECT c.*, -100 * difference AS points, -100 * high AS points_low, -100 * low AS points_high
  FROM contrasts c JOIN subjects x ON x.cell = c.a JOIN subjects y ON y.cell = c.b
  WHERE c.axis = 'feed_forward' AND x.modality = 'text' AND method_a = 'moe' AND method_b = 'dense'
    AND y.size_b BETWEEN x.size_b AND 6 * x.size_b
    AND metric IN ('avg_perf', 'mmlu_pro', 'bbh', 'gpqa', 'ifeval', 'math', 'musr')
)
SELECT 'largest gain' AS "case", about(max(points_low), max(points_high), 3.5, 0.1) AS supports,
       format('{:+.1f} points: {} of {} against {}', max(points), max_by(metric, points), max_by(technique_a, points),
              max_by(technique_b, points)) AS shown,
       setting, source, 'size' AS tests
FROM scores GROUP BY setting, source
UNION ALL BY NAME
SELECT 'largest gain' AS "case", NULL AS supports,
       'missing: a benchmark score of an MoE and of a dense language model' AS shown, 'size' AS tests
WHERE NOT EXISTS (FROM scores) AND EXISTS (FROM figures WHERE axis = 'feed_forward' AND modality = 'text');
