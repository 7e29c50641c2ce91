-- Which candidates are not certainly worse than the best of them?
--
-- not_worse(running, criterion)
--   running     table ("case", cell, tolerance): the candidates of a case, and how far from the best they may be
--   criterion   a role of `criteria`
--   one row per candidate that stays: "case", cell, leader (the best by its mean), undecided (too few repeats to say)
--
-- Without a tolerance those stay that the leader is not certainly better than: as far as the repeats tell they are tied.
-- With one also those that may be within that share of the leader's value: the near end of the interval of the difference
-- decides, for a printed value the difference itself.
-- least_gap(sign, difference, low, high, value)   the least by which a candidate is worse, as a share of the leader's value

CREATE OR REPLACE TEMP MACRO least_gap(sign, difference, low, high, value) AS
  digits12(CASE sign WHEN 1 THEN coalesce(low, difference) ELSE -coalesce(high, difference) END / nullif(abs(value), 0));

CREATE OR REPLACE TEMP MACRO certainly_worse(sign, verdict) AS
  verdict = CASE sign WHEN 1 THEN 'higher' ELSE 'lower' END;

CREATE OR REPLACE TEMP MACRO not_worse(running, criterion) AS TABLE
WITH
valued AS (
  SELECT r."case", r.cell, r.tolerance, k.metric, k.sign, k.sign * f.value AS cost
  FROM query_table(running) r CROSS JOIN criteria k JOIN figures f ON f.cell = r.cell AND f.metric = k.metric
  WHERE k.role = criterion
),
leaders AS (SELECT "case", first(cell ORDER BY cost, cell) AS leader FROM valued GROUP BY "case")
SELECT v."case", v.cell, l.leader, coalesce(c.verdict = 'undecided', false) AS undecided
FROM valued v JOIN leaders l USING ("case")
LEFT JOIN contrasts c ON c.metric = v.metric AND c.a = l.leader AND c.b = v.cell
WHERE v.cell = l.leader OR NOT certainly_worse(v.sign, c.verdict)
   OR least_gap(v.sign, c.difference, c.low, c.high, c.value_a) <= v.tolerance;
