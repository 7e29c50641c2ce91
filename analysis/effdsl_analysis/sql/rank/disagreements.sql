-- Where do the rules of by_rule.sql disagree? One row per group, metric and technique, as one_rule.sql orders them:
--   ranks            rule to rank, of the rules that average over scales
--   ranks_by_scale   scale to rank, of each scale alone
--   averages_agree   all averages give one rank; NULL where there is none, for want of a value at one of the scales
--   scales_agree     so does each scale alone

WITH
ranks AS (
  SELECT "group", metric, technique,
         map_from_entries(list((rule, rank)) FILTER (rule <> 'one_scale')) AS ranks,
         nullif(count(DISTINCT rank) FILTER (rule <> 'one_scale'), 0) = 1 AS averages_agree,
         count(DISTINCT rank) = 1 AS scales_agree,
         any_value(rank) FILTER (rule = 'mean') AS rank
  FROM by_rule GROUP BY ALL
),
alone AS (
  SELECT "group", metric, technique, map_from_entries(list((scale, rank) ORDER BY scale_place)) AS ranks_by_scale
  FROM by_rule JOIN (SELECT DISTINCT "group", scale, scale_place FROM entries) USING ("group", scale)
  WHERE rule = 'one_scale' GROUP BY ALL
)
SELECT "group", title, metric, "column", label, technique, coalesce(ranks, MAP {}) AS ranks,
       coalesce(ranks_by_scale, MAP {}) AS ranks_by_scale, averages_agree, scales_agree
FROM ranks
JOIN (SELECT DISTINCT "group", group_place, title, metric, metric_place, "column", label FROM entries)
  USING ("group", metric)
LEFT JOIN alone USING ("group", metric, technique)
ORDER BY group_place, metric_place, rank, technique;
