-- The ranking by one rule of by_rule.sql. Parameters: $rule, $scale (NULL unless the rule is one_scale).
-- One row per group, metric and technique, groups and metrics in the paper's order, the best technique first.
-- unit: of `value`, which by some rules is not the metric's own.

SELECT "group", title, technique, metric, value, rank, n, rule, b.scale, "column", label,
       CASE rule WHEN 'mean_of_ranks' THEN 'rank' WHEN 'normalised' THEN '' ELSE unit END AS unit, b.better
FROM by_rule b
JOIN (SELECT DISTINCT "group", group_place, title, metric, metric_place, "column", label, unit FROM entries)
  USING ("group", metric)
WHERE rule = $rule AND b.scale IS NOT DISTINCT FROM $scale
ORDER BY group_place, metric_place, rank, technique;
