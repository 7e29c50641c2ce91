-- What is the difference between two evaluated models, item by item?
--
-- item_differences(pairs)
--   pairs   table (evaluation, x, y): keys of two results that were evaluated on the same items
--   one row per pair; y is judged against x:
--     items, unpaired      how many both have; how many are in one of them alone, or of another length there: the values of
--                          such a pair are NULL, for they are of different texts
--     is_loss              an item with a weight is a text, its value a loss in nats and its weight the tokens predicted;
--                          else more is better (docs/store.md)
--     right_or_wrong       all values are 0 or 1
--     score_x, score_y     sum of values over sum of weights
--     difference, error    y - x; its standard error over items as those of a ratio of sums (Cochran 1977, Sampling
--                          Techniques, 3rd ed., eq. 2.46 without the finite population): with all weights 1 that of
--                          a paired t-test. NULL of a single item
--     half_width           half of the 95% interval by Student's t with items - 1 degrees of freedom
--     lost, gained         items that x has right and y wrong, and the other way round; NULL unless right_or_wrong
--     p                    of these by McNemar's test in its exact form (binomial, two-sided) whatever their number: the
--                          chi-square that is often taken for many is an approximation to it. NULL unless right_or_wrong
--     resolved             p < 0.05 where there is one, else the interval leaves out zero. A difference without any spread
--                          over items is not resolved, and neither is one of no item
--     needed               items at which a difference as observed is found at 5% with a power of 80%: of right_or_wrong
--                          (1.960 sqrt(d) + 0.842 sqrt(d - m²))² / m², d the discordant share and m the difference
--                          (Connor 1987, Biometrics 43, 207-211); else items × (2.802 error / m)², as of a paired t-test
--                          with the normal quantiles (Cohen 1988, ch. 2). NULL where there is no difference
--
-- Sums are taken in the order of items, for their last digits depend on it.

CREATE OR REPLACE TEMP MACRO mcnemar(b, c) AS
  least(1, 2 * list_sum(list_transform(range(0, least(b, c) + 1),
    lambda k: exp(lgamma(b + c + 1) - lgamma(k + 1) - lgamma(b + c - k + 1) - (b + c) * ln(2)))));

CREATE OR REPLACE TEMP MACRO item_differences(pairs) AS TABLE
WITH
wanted AS MATERIALIZED (
  SELECT evaluation, x AS key FROM query_table(pairs) UNION SELECT evaluation, y FROM query_table(pairs)
),
known AS MATERIALIZED (SELECT evaluation, key, item, value, weight FROM items SEMI JOIN wanted USING (evaluation, key)),
counts AS (SELECT evaluation, key, count(*) AS items FROM known GROUP BY evaluation, key),
beside AS MATERIALIZED (
  SELECT p.evaluation, p.x, p.y, a.item, a.weight, a.value AS before, b.value AS after, b.value - a.value AS d
  FROM query_table(pairs) p
  JOIN known a ON a.evaluation = p.evaluation AND a.key = p.x
  JOIN known b ON b.evaluation = p.evaluation AND b.key = p.y AND b.item = a.item AND b.weight = a.weight
),
sums AS MATERIALIZED (
  SELECT evaluation, x, y, count(*) AS n, sum(weight ORDER BY item) AS total, NOT bool_and(weight = 1) AS is_loss,
         bool_and(weight = 1 AND before IN (0, 1) AND after IN (0, 1)) AS right_or_wrong,
         sum(before ORDER BY item) / total AS score_x, sum(after ORDER BY item) / total AS score_y,
         sum(d ORDER BY item) / total AS mean,
         CASE WHEN right_or_wrong THEN count(*) FILTER (d < 0) END AS lost,
         CASE WHEN right_or_wrong THEN count(*) FILTER (d > 0) END AS gained
  FROM beside GROUP BY evaluation, x, y
),
spread AS (
  SELECT evaluation, x, y, sqrt(sum((d - mean * weight) ** 2 ORDER BY item) * n / nullif(n - 1, 0)) / total AS error
  FROM beside JOIN sums USING (evaluation, x, y) GROUP BY evaluation, x, y, n, total
),
judged AS (
  SELECT p.evaluation, p.x, p.y, coalesce(n, 0) AS items, cx.items + cy.items - 2 * coalesce(n, 0) AS unpaired,
         is_loss, coalesce(right_or_wrong, false) AS right_or_wrong, score_x, score_y, digits12(mean) AS mean,
         -- What cancels to the last digits of its values has no spread.
         CASE WHEN error > 1e-12 * greatest(abs(score_x), abs(score_y)) THEN error WHEN error IS NOT NULL THEN 0 END AS error,
         lost, gained, CASE WHEN right_or_wrong THEN mcnemar(lost, gained) END AS p
  FROM query_table(pairs) p
  JOIN counts cx ON cx.evaluation = p.evaluation AND cx.key = p.x
  JOIN counts cy ON cy.evaluation = p.evaluation AND cy.key = p.y
  LEFT JOIN sums s ON s.evaluation = p.evaluation AND s.x = p.x AND s.y = p.y
  LEFT JOIN spread e ON e.evaluation = p.evaluation AND e.x = p.x AND e.y = p.y
)
SELECT evaluation, x, y, items, unpaired, is_loss, right_or_wrong,
       CASE WHEN unpaired = 0 THEN score_x END AS score_x, CASE WHEN unpaired = 0 THEN score_y END AS score_y,
       CASE WHEN unpaired = 0 THEN mean END AS difference, CASE WHEN unpaired = 0 THEN j.error END AS error,
       CASE WHEN unpaired = 0 THEN t_quantile(items - 1) * j.error END AS half_width,
       CASE WHEN unpaired = 0 THEN lost END AS lost, CASE WHEN unpaired = 0 THEN gained END AS gained,
       CASE WHEN unpaired = 0 THEN p END AS p,
       coalesce(unpaired = 0 AND CASE WHEN right_or_wrong THEN p < 0.05
                                      ELSE j.error > 0 AND abs(mean) > t_quantile(items - 1) * j.error END, false) AS resolved,
       CASE WHEN unpaired <> 0 OR mean = 0 THEN NULL
            WHEN right_or_wrong THEN ceil(
              (1.959963985 * sqrt((lost + gained) / items) + 0.841621234 * sqrt(greatest((lost + gained) / items - mean ** 2, 0))) ** 2
              / mean ** 2)::BIGINT
            WHEN j.error > 0 THEN ceil(items * (2.801585219 * j.error / mean) ** 2)::BIGINT END AS needed
FROM judged j;
