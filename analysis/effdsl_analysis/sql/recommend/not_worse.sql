-- Which candidates are not certainly worse than the best of them?
--
-- not_worse(running, criterion)
--   running     table (run, cell, tolerance, reach): the candidates of a run, how far from the best they may be, and whether
--               they must be that near "certainly" or "possibly"
--   criterion   a role of `criteria`
--   one row per candidate that stays: run, cell, leader (the best by its mean), undecided (too few repeats to say)
--
-- Without a tolerance those stay that the leader is not certainly better than: as far as the repeats tell they are tied.
-- With one those that are within that share of the leader's value: certainly where the far end of the interval of the
-- difference is, possibly where the near end is; for a printed value the difference itself decides.
-- least_gap, most_gap(sign, difference, low, high, value)   by how much a candidate is worse, as a share of the leader's value

CREATE OR REPLACE TEMP MACRO least_gap(sign, difference, low, high, value) AS
  digits12(CASE sign WHEN 1 THEN coalesce(low, difference) ELSE -coalesce(high, difference) END / nullif(abs(value), 0));

CREATE OR REPLACE TEMP MACRO most_gap(sign, difference, low, high, value) AS
  digits12(CASE sign WHEN 1 THEN coalesce(high, difference) ELSE -coalesce(low, difference) END / nullif(abs(value), 0));

CREATE OR REPLACE TEMP MACRO certainly_worse(sign, verdict) AS
  verdict = CASE sign WHEN 1 THEN 'higher' ELSE 'lower' END;

CREATE OR REPLACE TEMP MACRO not_worse(running, criterion) AS TABLE
WITH
valued AS (
  SELECT r.run, r.cell, r.tolerance, r.reach, k.metric, k.sign, k.sign * f.value AS cost
  FROM query_table(running) r CROSS JOIN criteria k JOIN figures f ON f.cell = r.cell AND f.metric = k.metric
  WHERE k.role = criterion
),
leaders AS (SELECT run, first(cell ORDER BY cost, cell) AS leader FROM valued GROUP BY run)
SELECT v.run, v.cell, l.leader, coalesce(c.verdict = 'undecided', false) AS undecided
FROM valued v JOIN leaders l USING (run)
LEFT JOIN contrasts c ON c.metric = v.metric AND c.a = l.leader AND c.b = v.cell
WHERE v.cell = l.leader OR c.verdict = 'undecided'
   OR CASE WHEN v.tolerance IS NOT NULL AND v.reach = 'certainly'
           THEN most_gap(v.sign, c.difference, c.low, c.high, c.value_a) <= v.tolerance
           ELSE NOT certainly_worse(v.sign, c.verdict)
                OR least_gap(v.sign, c.difference, c.low, c.high, c.value_a) <= v.tolerance END;
