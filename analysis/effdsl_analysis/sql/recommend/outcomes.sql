-- What is chosen in each case? First those that are best as far as the repeats tell, or within the tolerance of the best;
-- of them the best by the second criterion, where there is one; of what is still tied, the best by the first again.
-- Where too few repeats leave the first step open, the second criterion is not asked.
--
-- outcomes   "case", chosen (cells, the best first; several are tied, none is empty), undecided

CREATE OR REPLACE TEMP TABLE pool AS
SELECT "case", cell, NULL::DOUBLE AS tolerance, bool_or(undecided) OVER (PARTITION BY "case") AS undecided
FROM not_worse('allowed', 'best');

CREATE OR REPLACE TEMP TABLE cheapest AS
SELECT l."case", l.cell, NULL::DOUBLE AS tolerance, bool_or(l.undecided) OVER (PARTITION BY l."case") AS undecided
FROM not_worse('pool', 'then') l JOIN pool p USING ("case", cell)
WHERE NOT p.undecided
UNION ALL
FROM pool WHERE undecided OR (SELECT count(*) FROM criteria WHERE role = 'then') = 0;

CREATE OR REPLACE TEMP TABLE outcomes AS
WITH finalists AS (
  SELECT l."case", l.cell, c.undecided OR l.undecided AS undecided, k.sign * f.value AS cost
  FROM not_worse('cheapest', 'best') l JOIN cheapest c USING ("case", cell)
  JOIN figures f USING (cell) JOIN criteria k ON k.metric = f.metric AND k.role = 'best'
)
SELECT "case", any_value(decision) AS decision, any_value(kind) AS kind, any_value(number) AS number, any_value(edge) AS edge,
       coalesce(list(cell ORDER BY cost, cell) FILTER (cell IS NOT NULL), []) AS chosen,
       coalesce(bool_or(undecided), false) AND len(chosen) > 1 AS undecided
FROM cases LEFT JOIN finalists USING ("case")
GROUP BY "case";
