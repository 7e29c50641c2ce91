-- How does each metric of each technique grow with parameters? Parameters: $metrics, $axes (empty: all).
--
-- Makes `fits`, a row per axis, setting, technique and metric (of energies also meter scope), fitted by least squares on
-- logarithms: value = c * (N / 1e9) ** exponent, N the exact number of parameters where it was measured, else as printed.
--   sizes              different N; fewer than three have no fit
--   of_models          whether the sizes are different models, not one model at several scales
--   micro_batches      sequences per step on one device, by size: where they differ, memory and time are not of equal work
--   low, high          the exponent's 95% interval: Student's t with points - 2 degrees of freedom
--   r2                 the share of the variance of the logarithms that the law explains; NULL where they do not vary
--   trend              grows, falls, the same (at every size), or unclear (the interval holds zero)
--   verdict            fitted, too few sizes, not positive (a value has no logarithm), or no parameters
-- The points are means over the repeats. Repeats at one size share how far that size lies off the law, so they are no
-- points of their own: counting them would make the interval narrower than what is known. Sums are taken in the order
-- of the sizes, so that their last digits do not depend on how many threads take them.

CREATE OR REPLACE TEMP TABLE fits AS
WITH
points AS (
  SELECT f.*, CASE WHEN technique = concat_ws(' ', method, size) THEN method ELSE technique END AS name,
         CASE WHEN e.metric IS NOT NULL THEN energy_scope END AS scope,
         ln(parameters / 1e9) AS x, CASE WHEN value > 0 THEN ln(value) END AS y
  FROM figures f LEFT JOIN energy_metrics() e USING (metric)
  WHERE list_contains($metrics::VARCHAR[], f.metric) AND (len($axes::VARCHAR[]) = 0 OR list_contains($axes::VARCHAR[], axis))
),
sums AS (
  SELECT axis, setting, scope, metric, name AS technique, any_value(source) AS source,
         count(*) AS points, count(DISTINCT parameters) AS sizes, bool_or(parameters IS NULL) AS nameless,
         bool_or(y IS NULL) AS without_log, min(parameters) AS smallest, max(parameters) AS largest,
         list(size ORDER BY parameters, size) AS size_names, bool_or(model IS NOT NULL) AS of_models,
         list(micro_batch_size ORDER BY parameters, size) AS micro_batches,
         avg(x ORDER BY x) AS mean_x, regr_sxx(y, x ORDER BY x, y) AS sxx, regr_syy(y, x ORDER BY x, y) AS syy,
         regr_sxy(y, x ORDER BY x, y) AS sxy, regr_slope(y, x ORDER BY x, y) AS slope,
         regr_intercept(y, x ORDER BY x, y) AS intercept
  FROM points GROUP BY axis, setting, scope, metric, name
),
judged AS (
  SELECT *, CASE WHEN nameless THEN 'no parameters' WHEN sizes < 3 THEN 'too few sizes' WHEN without_log THEN 'not positive'
                 ELSE 'fitted' END AS verdict,
         CASE WHEN verdict = 'fitted' THEN slope END AS exponent,
         CASE WHEN verdict = 'fitted' THEN greatest(syy - slope * sxy, 0) / (points - 2) END AS variance,
         t_quantile(points - 2) AS t
  FROM sums
)
SELECT * EXCLUDE (nameless, without_log, slope, syy, sxy, intercept),
       CASE WHEN verdict = 'fitted' THEN intercept END AS intercept,
       exp(CASE WHEN verdict = 'fitted' THEN intercept END) AS c,
       exponent - t * sqrt(variance / sxx) AS low, exponent + t * sqrt(variance / sxx) AS high,
       CASE WHEN verdict = 'fitted' AND syy > 0 THEN least(sxy ** 2 / (sxx * syy), 1) END AS r2,
       CASE WHEN verdict <> 'fitted' THEN NULL WHEN syy = 0 THEN 'the same'
            WHEN low > 0 THEN 'grows' WHEN high < 0 THEN 'falls' ELSE 'unclear' END AS trend
FROM judged;
