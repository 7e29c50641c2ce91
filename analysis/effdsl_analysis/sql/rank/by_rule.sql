-- Which rank has a technique in its group by each rule that turns several scales (sizes or models) into one order?
--
--   mean, median, geometric_mean   of the values
--   mean_of_ranks                  of the ranks at each scale: how far apart values are does not count
--   normalised                     mean of eq. 10 or 11 at each scale; higher is better
--   one_scale                      the values at one scale alone, which `scale` names
--
-- Ranks are competition ranks (1, 1, 3) of values on 12 significant digits. A technique without a value at one of the
-- scales is left out of the averages: its average would be one of other scales. n: how many values went in.

CREATE OR REPLACE TEMP TABLE by_rule AS
WITH
complete AS (
  FROM compared
  QUALIFY count(*) OVER (PARTITION BY "group", metric, technique)
        = count(DISTINCT coalesce(scale, '')) OVER (PARTITION BY "group", metric)
),
averages AS (
  SELECT "group", metric, technique, better, count(*) AS n,
         avg(value ORDER BY value) AS mean,
         median(value) AS median,
         CASE WHEN min(value) > 0 THEN exp(avg(CASE WHEN value > 0 THEN ln(value) END ORDER BY value)) END AS geometric_mean,
         avg(rank_here ORDER BY rank_here) AS mean_of_ranks,
         avg(normalised ORDER BY normalised) AS normalised
  FROM complete GROUP BY ALL
),
said AS (
  SELECT *, NULL::VARCHAR AS scale
  FROM (UNPIVOT averages ON mean, median, geometric_mean, mean_of_ranks, normalised INTO NAME rule VALUE value)
  UNION ALL BY NAME
  SELECT 'one_scale' AS rule, scale, "group", metric, technique, better, 1 AS n, value
  FROM compared WHERE scale IS NOT NULL
),
directed AS (
  SELECT * REPLACE (digits12(value) AS value,
                    CASE rule WHEN 'mean_of_ranks' THEN 'lower' WHEN 'normalised' THEN 'higher' ELSE better END AS better)
  FROM said
)
SELECT rule, scale, "group", metric, technique, n, better, value,
       rank() OVER (PARTITION BY rule, scale, "group", metric
                    ORDER BY CASE better WHEN 'lower' THEN value ELSE -value END) AS rank
FROM directed;
