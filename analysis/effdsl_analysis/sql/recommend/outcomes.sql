-- What is chosen in each case? First those that are best as far as the repeats tell, or within the tolerance of the best;
-- of them the best by the second criterion, where there is one; of what is still tied, the best by the first again.
-- Where too few repeats leave the first step open, the second criterion is not asked. Where the repeats do not tell who is
-- within the tolerance, this is done twice, with those that certainly are and with those that possibly are, and where the two
-- differ both are left: there is no choice.
--
-- pool       run (case and reach), cell: what is left after the first step
-- outcomes   "case", chosen (cells, the best first; several are tied, none is empty), undecided (too few repeats),
--            unsure (cells of which the choice hangs on whether they are within the tolerance)

CREATE OR REPLACE TEMP TABLE reaching AS
SELECT {'case': "case", 'reach': reach} AS run, cell, tolerance, reach
FROM allowed CROSS JOIN (VALUES ('certainly'), ('possibly')) AS r (reach)
WHERE tolerance IS NOT NULL OR reach = 'possibly';

CREATE OR REPLACE TEMP TABLE pool AS
SELECT run, cell, NULL::DOUBLE AS tolerance, NULL AS reach, bool_or(undecided) OVER (PARTITION BY run) AS undecided
FROM not_worse('reaching', 'best');

CREATE OR REPLACE TEMP TABLE cheapest AS
SELECT l.run, l.cell, NULL::DOUBLE AS tolerance, NULL AS reach, bool_or(l.undecided) OVER (PARTITION BY l.run) AS undecided
FROM not_worse('pool', 'then') l JOIN pool p USING (run, cell)
WHERE NOT p.undecided
UNION ALL
FROM pool WHERE undecided OR (SELECT count(*) FROM criteria WHERE role = 'then') = 0;

CREATE OR REPLACE TEMP TABLE outcomes AS
WITH
finalists AS (
  SELECT l.run."case" AS "case", l.run.reach AS reach, l.cell, c.undecided OR l.undecided AS undecided, k.sign * f.value AS cost
  FROM not_worse('cheapest', 'best') l JOIN cheapest c USING (run, cell)
  JOIN figures f USING (cell) JOIN criteria k ON k.metric = f.metric AND k.role = 'best'
),
kept AS (SELECT "case", cell, any_value(cost) AS cost, bool_or(undecided) AS undecided FROM finalists GROUP BY "case", cell),
chosen AS (
  SELECT "case", list(cell ORDER BY cost, cell) AS chosen, bool_or(undecided) AND count(*) > 1 AS undecided
  FROM kept GROUP BY "case"
),
hanging AS (
  SELECT "case" FROM (SELECT "case", reach, list(cell ORDER BY cell) AS cells FROM finalists GROUP BY "case", reach)
  GROUP BY "case" HAVING count(DISTINCT cells) > 1
),
unsure AS (
  SELECT run."case" AS "case", list(cell ORDER BY cell) AS unsure
  FROM pool WHERE run.reach = 'possibly' AND ({'case': run."case", 'reach': 'certainly'}, cell) NOT IN (SELECT (run, cell) FROM pool)
  GROUP BY ALL
)
SELECT k."case", k.decision, k.kind, k.number, k.edge, coalesce(c.chosen, []) AS chosen, coalesce(c.undecided, false) AS undecided,
       CASE WHEN h."case" IS NULL THEN [] ELSE u.unsure END AS unsure
FROM cases k LEFT JOIN chosen c USING ("case") LEFT JOIN hanging h USING ("case") LEFT JOIN unsure u USING ("case");
