-- Between what is there a choice? Parameters: $stage, $size (NULL: any), $axes (NULL or empty: all).
--
-- candidates   one row per cell: decision (a number: one axis, setting and size; of energies also one meter scope),
--              place (of its axis), what describes the decision and the technique, lacking (metrics asked for that it has
--              no value of)
--
-- A technique that carries its size in its name ("moe 0.5B×8", Table 5) is chosen together with its size, so that there
-- all sizes are one decision; its `size` is NULL.

CREATE OR REPLACE TEMP TABLE candidates AS
WITH
asked AS (SELECT metric FROM criteria UNION SELECT metric FROM conditions),
scoped AS (SELECT count(*) > 0 AS energy FROM asked SEMI JOIN energy_metrics() USING (metric)),
have AS (
  SELECT s.cell, list(a.metric ORDER BY a.metric) FILTER (f.cell IS NULL) AS lacking
  FROM subjects s CROSS JOIN asked a LEFT JOIN figures f ON f.cell = s.cell AND f.metric = a.metric
  GROUP BY s.cell
),
named AS (
  SELECT s.* EXCLUDE (size), k.stage, k.place, coalesce(h.lacking, []) AS lacking, s.size AS own_size,
         CASE WHEN s.technique <> concat_ws(' ', s.method, s.size) THEN s.size END AS size,
         CASE WHEN energy THEN s.energy_scope END AS scope
  FROM subjects s JOIN axes k USING (axis) JOIN have h USING (cell) CROSS JOIN scoped
  WHERE coalesce(k.stage = $stage, $stage IS NULL)
    AND (len(coalesce($axes::VARCHAR[], [])) = 0 OR list_contains($axes, axis))
    AND coalesce(s.size = $size, $size IS NULL)
)
SELECT dense_rank() OVER (
         ORDER BY place, setting,
                  CASE WHEN size IS NOT NULL THEN size_b END NULLS LAST, size NULLS LAST, scope NULLS FIRST) AS decision, *
FROM named;
