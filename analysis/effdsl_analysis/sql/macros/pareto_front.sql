-- Which points does no other point beat?
--
-- pareto_front(points)
--   points   table (point, grp, x1, ..., x6): six objectives, lower is better; fewer are asked by repeating one,
--            which changes nothing. A point with a NULL, NaN or infinite objective takes no part.
--   The points (point, grp) that no other of their group dominates: at most as large in every objective and smaller
--   in one. Points that are the same in all objectives stay together, on the front or off it.
-- dominance(points)
--   The pairs (grp, a, b) of the same table in which b dominates a: all pairs, so for hundreds of points, not millions.
-- padded("values")
--   One to six objectives as the six that both ask for.
--
-- Exact. Comparing all pairs is quadratic, so most points are dropped first against a few strong ones: the 16 of least
-- `score`, then the 512 best of those that are left. The score grows with every objective; so a point that is at most
-- as large in all objectives and has a lower score does dominate, and rounding can only let a point through to the last,
-- full comparison. `ANTI JOIN` with a disjunction and with NULLs has been wrong in releases of DuckDB, hence conjunctions
-- only in the filters and `NOT EXISTS` at the end.

CREATE OR REPLACE TEMP MACRO pareto_front(points) AS TABLE
WITH
comparable AS (
  SELECT point, grp, x1, x2, x3, x4, x5, x6 FROM query_table(points)
  WHERE isfinite(x1) AND isfinite(x2) AND isfinite(x3) AND isfinite(x4) AND isfinite(x5) AND isfinite(x6)
),
reach AS (
  SELECT grp, min(x1) AS l1, min(x2) AS l2, min(x3) AS l3, min(x4) AS l4, min(x5) AS l5, min(x6) AS l6,
         max(x1) - l1 AS w1, max(x2) - l2 AS w2, max(x3) - l3 AS w3,
         max(x4) - l4 AS w4, max(x5) - l5 AS w5, max(x6) - l6 AS w6
  FROM comparable GROUP BY grp
),
scored AS MATERIALIZED (
  SELECT c.*,
         coalesce((x1 - l1) / nullif(w1, 0), 0) + coalesce((x2 - l2) / nullif(w2, 0), 0)
         + coalesce((x3 - l3) / nullif(w3, 0), 0) + coalesce((x4 - l4) / nullif(w4, 0), 0)
         + coalesce((x5 - l5) / nullif(w5, 0), 0) + coalesce((x6 - l6) / nullif(w6, 0), 0) AS score
  FROM comparable c JOIN reach USING (grp)
),
strongest AS (
  SELECT grp, unnest(min_by({x1: x1, x2: x2, x3: x3, x4: x4, x5: x5, x6: x6, score: score}, score, 16), recursive := true)
  FROM scored GROUP BY grp
),
fewer AS MATERIALIZED (
  FROM scored a ANTI JOIN strongest b
    ON b.grp = a.grp AND b.x1 <= a.x1 AND b.x2 <= a.x2 AND b.x3 <= a.x3
    AND b.x4 <= a.x4 AND b.x5 <= a.x5 AND b.x6 <= a.x6 AND b.score < a.score
),
strong AS (
  SELECT grp, unnest(min_by({x1: x1, x2: x2, x3: x3, x4: x4, x5: x5, x6: x6, score: score}, score, 512), recursive := true)
  FROM fewer GROUP BY grp
),
few AS MATERIALIZED (
  FROM fewer a ANTI JOIN strong b
    ON b.grp = a.grp AND b.x1 <= a.x1 AND b.x2 <= a.x2 AND b.x3 <= a.x3
    AND b.x4 <= a.x4 AND b.x5 <= a.x5 AND b.x6 <= a.x6 AND b.score < a.score
),
places AS MATERIALIZED (SELECT DISTINCT grp, x1, x2, x3, x4, x5, x6 FROM few),
unbeaten AS (
  SELECT * FROM places a
  WHERE NOT EXISTS (
    FROM places b
    WHERE b.grp = a.grp AND b.x1 <= a.x1 AND b.x2 <= a.x2 AND b.x3 <= a.x3
      AND b.x4 <= a.x4 AND b.x5 <= a.x5 AND b.x6 <= a.x6
      AND (b.x1 < a.x1 OR b.x2 < a.x2 OR b.x3 < a.x3 OR b.x4 < a.x4 OR b.x5 < a.x5 OR b.x6 < a.x6))
)
SELECT point, grp FROM few JOIN unbeaten USING (grp, x1, x2, x3, x4, x5, x6);

CREATE OR REPLACE TEMP MACRO dominance(points) AS TABLE
SELECT a.grp, a.point AS a, b.point AS b FROM query_table(points) a JOIN query_table(points) b USING (grp)
WHERE b.x1 <= a.x1 AND b.x2 <= a.x2 AND b.x3 <= a.x3 AND b.x4 <= a.x4 AND b.x5 <= a.x5 AND b.x6 <= a.x6
  AND (b.x1 < a.x1 OR b.x2 < a.x2 OR b.x3 < a.x3 OR b.x4 < a.x4 OR b.x5 < a.x5 OR b.x6 < a.x6);

CREATE OR REPLACE TEMP MACRO padded("values") AS
  list_transform(range(0, 6), lambda k: "values"[1 + k % len("values")]);
