-- How does the choice change as one bound moves, from tight to loose? One row per segment of bounds with one choice:
--   decision, number   of the condition (0: the tolerance)
--   edge               where the segment begins: the bound at which its choice just becomes possible; NULL: the tightest
--   chosen             cells, the best first; empty where nothing satisfies
--   step               0 for the segment that holds the bound asked for, -1 and 1 for its neighbours: where the choice flips

WITH
steps AS (
  SELECT o.decision, o.number, o.edge, o.chosen, e.within
  FROM outcomes o JOIN edges e ON e.decision = o.decision AND e.number = o.number AND e.edge = o.edge
  WHERE o.kind = 'edge'
  UNION ALL
  SELECT DISTINCT decision, number, NULL::DOUBLE, []::VARCHAR[], true FROM edges WHERE number > 0
),
marked AS (
  SELECT *, coalesce(list_sort(chosen) <> lag(list_sort(chosen)) OVER along, true) AS begins
  FROM steps WINDOW along AS (PARTITION BY decision, number ORDER BY edge NULLS FIRST)
),
numbered AS (
  SELECT *, sum(begins::INTEGER) OVER (PARTITION BY decision, number ORDER BY edge NULLS FIRST) AS segment FROM marked
),
segments AS (
  SELECT decision, number, segment, first(edge ORDER BY edge NULLS FIRST) AS edge,
         first(chosen ORDER BY edge NULLS FIRST) AS chosen, bool_or(within) AS reached
  FROM numbered GROUP BY decision, number, segment
)
SELECT decision, number, edge, chosen,
       segment - max(segment) FILTER (reached) OVER (PARTITION BY decision, number) AS step
FROM segments
ORDER BY decision, number, segment;
