-- What are the groups of `entries` made of? One row per group:
--   scales   in the order of its table; none where techniques have sizes of their own
--   labels   metric to what people call it

WITH
scales AS (
  SELECT "group", coalesce(list(scale ORDER BY scale_place) FILTER (scale IS NOT NULL), []) AS scales
  FROM (SELECT DISTINCT "group", scale, scale_place FROM entries) GROUP BY "group"
),
labels AS (
  SELECT "group", map_from_entries(list((metric, label))) AS labels
  FROM (SELECT DISTINCT "group", metric, label FROM entries) GROUP BY "group"
)
FROM scales JOIN labels USING ("group");
