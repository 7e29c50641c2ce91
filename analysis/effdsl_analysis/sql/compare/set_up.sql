-- In what do the printed table and the measured results differ, besides the techniques?
-- One row per fact: name, printed, measured; several values are joined by commas, NULL where nothing is said.

WITH
shared AS (SELECT DISTINCT axis, method FROM printed_figures INTERSECT SELECT DISTINCT axis, method FROM figures),
sides AS (
  SELECT 'printed' AS side, * FROM printed_figures SEMI JOIN shared USING (axis, method)
  UNION ALL BY NAME
  SELECT 'measured' AS side, * FROM figures SEMI JOIN shared USING (axis, method)
),
facts AS (
  SELECT side, unnest([
    {place: 1, name: 'hardware', fact: coalesce(nullif(devices, 1) || ' × ', '') || hardware},
    {place: 2, name: 'data', fact: dataset},
    {place: 3, name: 'size', fact: size},
    {place: 4, name: 'context length', fact: context_length::VARCHAR},
    {place: 5, name: 'micro-batch size', fact: micro_batch_size::VARCHAR},
    {place: 6, name: 'training examples that lost their end', 
     fact: CASE WHEN examples.truncated > 0 THEN format('{:,} of {:,}', examples.truncated, examples.training) END}
  ], recursive := true), size_b
  FROM sides
),
said AS (
  SELECT side, place, name, string_agg(fact, ', ' ORDER BY first_size, fact) AS fact
  FROM (SELECT side, place, name, fact, min(size_b) AS first_size FROM facts GROUP BY side, place, name, fact)
  GROUP BY side, place, name
)
SELECT name, any_value(fact) FILTER (side = 'printed') AS printed, any_value(fact) FILTER (side = 'measured') AS measured
FROM said GROUP BY place, name
HAVING printed IS DISTINCT FROM measured
ORDER BY place;
