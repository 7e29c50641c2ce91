-- Is cell b better than cell a? The 95% interval of the difference of their means.
--
-- differences(observations, pairs)
--   observations   table (block, cell, seed, value, exact): lower is better; `exact` marks a value that is computed
--                  rather than measured, so that one repeat of it is all there is to know
--   pairs          table (block, a, b)
--   one row per pair; `verdict` says of b against a:
--     better, worse   the interval excludes zero
--     equal           both are without spread and the same
--     tied            the interval holds zero, or the means are the same number
--     undecided       fewer than two repeats of either
--
-- Repeats of the same seed share their batches and their place in the run order, so differences are paired by seed
-- where the seeds of one cell contain those of the other; elsewhere the interval is Welch's. Intervals are per pair:
-- nothing is corrected for the number of pairs. Repeats are summed in one order, for the last digits of a sum depend on it.

CREATE OR REPLACE TEMP MACRO differences(observations, pairs) AS TABLE
WITH
spread AS MATERIALIZED (
  SELECT block, cell, count(*) AS n, digits12(avg(value ORDER BY value)) AS mean,
         CASE WHEN count(*) > 1 THEN var_samp(value ORDER BY value) WHEN bool_and(exact) THEN 0 END AS variance
  FROM query_table(observations) GROUP BY block, cell
),
paired AS (
  SELECT p.block, p.a, p.b, list_sort(list(y.value - x.value)) AS differences, bool_and(x.exact) AS exact
  FROM query_table(pairs) p
  JOIN query_table(observations) x ON x.block = p.block AND x.cell = p.a
  JOIN query_table(observations) y ON y.block = p.block AND y.cell = p.b AND y.seed = x.seed
  GROUP BY p.block, p.a, p.b
),
by_seed AS (
  SELECT block, a, b, len(differences) AS n, list_avg(differences) AS difference,
         CASE WHEN n > 1 THEN list_stddev_samp(differences) WHEN exact THEN 0 END AS deviation
  FROM paired
),
estimate AS (
  SELECT p.block, p.a, p.b,
         coalesce(s.n = least(x.n, y.n), false) AS paired,
         CASE WHEN paired THEN s.difference ELSE y.mean - x.mean END AS difference,
         CASE WHEN paired THEN s.deviation / sqrt(s.n) ELSE sqrt(x.variance / x.n + y.variance / y.n) END AS error,
         CASE WHEN error = 0 THEN 0
              WHEN paired THEN t_quantile(s.n - 1) * error
              ELSE t_quantile(error ** 4 / (
                coalesce((x.variance / x.n) ** 2 / nullif(x.n - 1, 0), 0)
                + coalesce((y.variance / y.n) ** 2 / nullif(y.n - 1, 0), 0))) * error
         END AS half_width
  FROM query_table(pairs) p
  JOIN spread x ON x.block = p.block AND x.cell = p.a
  JOIN spread y ON y.block = p.block AND y.cell = p.b
  LEFT JOIN by_seed s ON s.block = p.block AND s.a = p.a AND s.b = p.b
)
SELECT block, a, b, paired, difference,
       difference - half_width AS low, difference + half_width AS high,
       CASE WHEN difference = 0 AND error = 0 THEN 'equal'
            WHEN difference = 0 THEN 'tied'
            WHEN half_width IS NULL THEN 'undecided'
            WHEN difference + half_width < 0 THEN 'better'
            WHEN difference - half_width > 0 THEN 'worse'
            ELSE 'tied' END AS verdict
FROM estimate;
