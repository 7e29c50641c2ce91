-- How do any two subjects compare? From the tables that published_subjects.sql and
-- published_observations.sql, or measured_subjects.sql and measured_observations.sql, made:
--   subjects       a cell on an axis: method, technique, size, and the setting that those compared share
--   observations   its values: one per metric and repeat
-- this makes
--   figures        per cell and metric: n, mean, and the mean's 95% interval; a printed value has no interval
--   contrasts      per metric and pair of cells a, b of one axis and setting:
--     verdict      of b against a: 'lower', 'higher', 'equal' (no spread, same value), 'tied' (the interval of the
--                  difference holds zero), 'undecided' (too few repeats to have an interval)
--     ratio        b / a, with ratio_low and ratio_high: the interval of the difference of logarithms, paired as the
--                  difference is; NULL where a value is not positive or one repeat is all there is
--     same_size    whether a and b have the same size (scale or model)
-- Printed values are exact: two of them are lower, higher or equal. Energies are compared within one meter scope.

CREATE OR REPLACE TEMP TABLE figures AS
WITH summary AS (
  SELECT cell, metric, count(*) AS n, digits12(avg(value ORDER BY value)) AS value, bool_and(exact) AS exact, any_value(printed) AS printed,
         CASE WHEN count(*) > 1 THEN stddev_samp(value ORDER BY value) WHEN bool_and(exact) THEN 0 END AS sd
  FROM observations GROUP BY cell, metric
)
SELECT s.*, cell, metric, n, value, sd, printed,
       value - CASE WHEN sd = 0 THEN 0 ELSE t_quantile(n - 1) * sd / sqrt(n) END AS low,
       value + CASE WHEN sd = 0 THEN 0 ELSE t_quantile(n - 1) * sd / sqrt(n) END AS high
FROM summary JOIN (SELECT cell AS c, * EXCLUDE (cell) FROM subjects) s ON s.c = cell;
ALTER TABLE figures DROP COLUMN c;

CREATE OR REPLACE TEMP TABLE wanted_pairs AS
SELECT x.metric AS block, x.cell AS a, y.cell AS b
FROM figures x JOIN figures y
  ON y.axis = x.axis AND y.setting = x.setting AND y.metric = x.metric AND y.cell <> x.cell
WHERE x.metric NOT IN (SELECT metric FROM energy_metrics()) OR x.energy_scope IS NOT DISTINCT FROM y.energy_scope;

CREATE OR REPLACE TEMP TABLE plain_observations AS
SELECT metric AS block, metric, cell, key, seed, value, exact FROM observations;

CREATE OR REPLACE TEMP TABLE log_observations AS
SELECT metric AS block, metric, cell, key, seed, ln(value) AS value, exact FROM observations
WHERE (metric, cell) NOT IN (SELECT (metric, cell) FROM observations WHERE value <= 0);

CREATE OR REPLACE TEMP TABLE contrasts AS
WITH
plain AS MATERIALIZED (FROM differences_by_items('plain_observations', 'wanted_pairs')),
ratios AS MATERIALIZED (
  SELECT block, a, b, exp(difference) AS ratio, exp(low) AS ratio_low, exp(high) AS ratio_high
  FROM differences_by_items('log_observations', 'wanted_pairs')
)
SELECT block AS metric, axis, setting, source, a, b,
       x.method AS method_a, y.method AS method_b, x.technique AS technique_a, y.technique AS technique_b,
       x.size AS size_a, y.size AS size_b, x.size = y.size AS same_size,
       x.value AS value_a, y.value AS value_b, difference, p.low, p.high, digits12(ratio) AS ratio, ratio_low, ratio_high,
       CASE verdict WHEN 'better' THEN 'lower' WHEN 'worse' THEN 'higher' ELSE verdict END AS verdict
FROM plain p LEFT JOIN ratios USING (block, a, b)
JOIN (SELECT cell AS a, metric AS block, axis, setting, source, method, technique, size, value FROM figures) x USING (block, a)
JOIN (SELECT cell AS b, metric AS block, method, technique, size, value FROM figures) y USING (block, b);
