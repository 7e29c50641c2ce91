-- Which techniques are worth choosing from in the groups of the paper's leaderboard, given several objectives at once?
--
-- Parameters: $groups (their names, NULL: all), $size (only what was printed for this scale or model, NULL: for any),
-- $each_size (one set per scale or model, rather than one per group), $objectives (metric names; `performance` is the
-- group's own quality metric), $signs (1: lower is better, -1: higher is better, NULL: as the metric says).
-- One row per set and technique, judged by what is printed; the front first, by its first objective:
--   size           the scale or model of the set; NULL: the values are means over all that the group has, as the
--                  leaderboard takes them. A group whose techniques share no size (Table 5) always stays whole
--   sizes          the scales or models behind the values, small ones first
--   metrics        the objectives as metrics
--   place          front, dominated, or not comparable (an objective is not printed: see absent)
--   dominated_by   techniques of the front that dominate it

WITH
wanted AS (
  SELECT g."group", g.place, g.title, g.table_number, i,
         CASE o.asked WHEN 'performance' THEN g.quality ELSE o.asked END AS metric, o.given
  FROM published_groups() g,
       (SELECT unnest(range(1, len($objectives::VARCHAR[]) + 1)) AS i, unnest($objectives::VARCHAR[]) AS asked,
               unnest($signs::INTEGER[]) AS given) o
  WHERE coalesce(list_contains($groups::VARCHAR[], g."group"), true)
),
objective AS (
  SELECT w.*, coalesce(w.given, CASE m.better WHEN 'lower' THEN 1 ELSE -1 END) AS sign
  FROM wanted w JOIN metrics m ON m.name = w.metric
),
shared AS (
  SELECT DISTINCT "group" FROM published_rows() GROUP BY "group", size HAVING count(DISTINCT technique) > 1
),
printed AS MATERIALIZED (
  SELECT p."group", p.size AS printed_size, parameters_b, technique, metric, value,
         CASE WHEN $each_size AND s."group" IS NOT NULL THEN size ELSE $size END AS size
  FROM published_rows() p LEFT JOIN shared s ON s."group" = p."group"
  WHERE coalesce(size = $size, true)
),
sets AS (
  SELECT row_number() OVER (ORDER BY o.place, parameters_b, p.size) AS grp, "group", p.size
  FROM (SELECT "group", size, min(parameters_b) AS parameters_b FROM printed GROUP BY "group", size) p
  JOIN (SELECT DISTINCT "group", place FROM objective) o USING ("group")
),
technique_of AS MATERIALIZED (
  SELECT grp, s."group", s.size, technique, list(printed_size ORDER BY parameters_b, printed_size) AS sizes
  FROM (SELECT DISTINCT "group", size, technique, printed_size, parameters_b FROM printed) p
  JOIN sets s ON s."group" = p."group" AND s.size IS NOT DISTINCT FROM p.size
  GROUP BY ALL
),
means AS (
  SELECT grp, technique, i, sign, digits12(avg(value ORDER BY value)) AS mean
  FROM printed p JOIN sets s ON s."group" = p."group" AND s.size IS NOT DISTINCT FROM p.size
  JOIN objective o ON o."group" = p."group" AND o.metric = p.metric
  GROUP BY ALL
),
compared AS MATERIALIZED (
  SELECT grp, technique, list(mean ORDER BY i) AS "values", padded(list(sign * mean ORDER BY i)) AS x
  FROM means GROUP BY grp, technique HAVING count(*) = len($objectives::VARCHAR[])
),
points AS MATERIALIZED (
  SELECT technique AS point, grp, x[1] AS x1, x[2] AS x2, x[3] AS x3, x[4] AS x4, x[5] AS x5, x[6] AS x6 FROM compared
),
front AS MATERIALIZED (FROM pareto_front('points')),
beaten AS (
  SELECT d.grp, d.a AS technique, list(d.b ORDER BY d.b) AS dominated_by
  FROM dominance('points') d JOIN front f ON f.grp = d.grp AND f.point = d.b
  GROUP BY d.grp, d.a
),
gaps AS (
  SELECT grp, technique, list(metric ORDER BY i) FILTER (mean IS NULL) AS absent
  FROM technique_of JOIN objective USING ("group") LEFT JOIN means USING (grp, technique, i)
  GROUP BY grp, technique
),
about AS (
  SELECT "group", title, table_number, list(metric ORDER BY i) AS metrics FROM objective GROUP BY ALL
)
SELECT grp, t."group", title, table_number, t.size, metrics, technique, sizes, "values",
       CASE WHEN "values" IS NULL THEN 'not comparable' WHEN f.point IS NULL THEN 'dominated' ELSE 'front' END AS place,
       coalesce(dominated_by, []) AS dominated_by, coalesce(absent, []) AS absent
FROM technique_of t JOIN about a ON a."group" = t."group"
JOIN gaps USING (grp, technique)
LEFT JOIN compared USING (grp, technique)
LEFT JOIN beaten USING (grp, technique)
LEFT JOIN front f ON f.grp = t.grp AND f.point = t.technique
ORDER BY t.grp, place = 'not comparable', place = 'dominated', x[1], technique;
