-- How are precisions compared whose repeats have weights of their own, or all the same?
--
-- differences_by_items(observations, pairs)
--   as differences() of differences.sql, of observations that have columns `key` and `metric` besides: where each of two
--   precisions has one observation, of the same weights, their items decide, and the answer is of that checkpoint alone. An
--   interval of means over items becomes one of the metric by the slope between its two values. Precisions whose checkpoints
--   all differ by the very same number, as shares of few items may, are tied: no spread, so nothing says how sure that is.
-- evaluations()            the metrics that an evaluation gives: metric, evaluation (NULL: of several together, no items)
-- repeated_evaluations()   (key, metric) that say nothing new: all repeats of the cell have the same weights, so that this
--                          repeat's evaluation is that of an earlier one over again

CREATE OR REPLACE TEMP MACRO evaluations() AS TABLE
FROM (VALUES
  ('ppl', 'perplexity'), ('held_out_loss', 'perplexity'), ('bits_per_byte', 'perplexity'),
  ('cloze', 'cloze'), ('cloze_per_byte', 'cloze_per_byte'), ('avg_perf', NULL), ('mcr', NULL),
  ('mmlu_pro', 'leaderboard_mmlu_pro'), ('bbh', 'leaderboard_bbh'), ('gpqa', 'leaderboard_gpqa'),
  ('ifeval', 'leaderboard_ifeval'), ('math', 'leaderboard_math_hard'), ('musr', 'leaderboard_musr')
) AS e (metric, evaluation);

CREATE OR REPLACE TEMP MACRO repeated_evaluations() AS TABLE
SELECT key, metric FROM (
  SELECT key FROM results WHERE (details ->> 'checkpoints') = 'one for all repeats' AND outcome = 'ok'
  QUALIFY row_number() OVER (PARTITION BY cell ORDER BY seed) > 1
) CROSS JOIN (SELECT metric FROM evaluations());

CREATE OR REPLACE TEMP MACRO differences_by_items(observations, pairs) AS TABLE
WITH
evaluated AS MATERIALIZED (
  SELECT block, o.cell, any_value(o.key) AS key, any_value(o.seed) AS seed, any_value(e.evaluation) AS evaluation, count(*) AS n,
         bool_and((r.details ->> 'checkpoints') = 'one for all repeats') AS shared
  FROM query_table(observations) o JOIN evaluations() e ON e.metric = o.metric JOIN results r ON r.key = o.key
  WHERE (r.details ->> 'checkpoints') IS NOT NULL
  GROUP BY block, o.cell
),
pairs_evaluated AS MATERIALIZED (
  SELECT p.block, p.a, p.b, x.n = 1 AND y.n = 1 AND (x.shared AND y.shared OR x.seed = y.seed) AS single,
         x.evaluation, x.key AS x, y.key AS y
  FROM query_table(pairs) p
  JOIN evaluated x ON x.block = p.block AND x.cell = p.a JOIN evaluated y ON y.block = p.block AND y.cell = p.b
),
item_pairs AS MATERIALIZED (SELECT DISTINCT evaluation, x, y FROM pairs_evaluated WHERE single AND evaluation IS NOT NULL),
judged AS (
  SELECT block, a, b, single, i.difference AS mean, i.half_width, i.resolved
  FROM pairs_evaluated LEFT JOIN (FROM item_differences('item_pairs')) i USING (evaluation, x, y)
)
SELECT block, a, b, d.paired, d.difference,
       CASE WHEN j.mean IS NOT NULL THEN d.difference - abs(d.difference / nullif(j.mean, 0)) * j.half_width
            WHEN NOT j.single AND d.low = d.high THEN NULL ELSE d.low END AS low,
       CASE WHEN j.mean IS NOT NULL THEN d.difference + abs(d.difference / nullif(j.mean, 0)) * j.half_width
            WHEN NOT j.single AND d.low = d.high THEN NULL ELSE d.high END AS high,
       CASE WHEN j.resolved THEN CASE WHEN d.difference < 0 THEN 'better' ELSE 'worse' END
            WHEN j.mean IS NOT NULL OR NOT j.single AND d.low = d.high AND d.verdict IN ('better', 'worse') THEN 'tied'
            ELSE d.verdict END AS verdict
FROM (FROM differences(observations, pairs)) d LEFT JOIN judged j USING (block, a, b);
