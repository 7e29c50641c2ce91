-- How efficient is a technique by the paper's own scores? From `compared` (rank/compared.sql), one row per group, scale and
-- technique:
--   normalised     metric to eq. 10 or 11 at this scale; a metric in which all techniques are equal is left out
--   as_printed     eq. 12 as the paper prints it, with rank_as_printed (higher is better)
--   by_arrows      eq. 12 with each term turned the way of its metric's arrow, with rank_by_arrows. As printed, three terms
--                  reward the opposite: low utilisation, high latency and low throughput (see definitions.md).
--   turned         the techniques that the two forms order the other way round against this one
--   missing        which of eq. 12's five metrics have no value; both forms are then NULL
-- Least and greatest values are those of the group at this scale; the paper does not say over which set they are taken.

WITH
wide AS (
  SELECT "group", group_place, title, scale, min(scale_place) AS scale_place, technique,
         min(rank_here) FILTER (metric_place = 0) AS quality_rank,
         map_from_entries(list((metric, digits12(normalised)) ORDER BY metric_place) FILTER (normalised IS NOT NULL)) AS normalised,
         max(value) FILTER (metric = 'amu') AS amu,
         max(value) FILTER (metric = 'pcu') AS pcu,
         max(value) FILTER (metric = 'al') AS al,
         max(value) FILTER (metric = 'st') AS st,
         max(value) FILTER (metric = 'aec') AS aec
  FROM compared GROUP BY ALL
),
scored AS (
  SELECT *,
         digits12(0.2 * (min(amu) OVER here / amu
                       + min(pcu) OVER here / pcu
                       + al / min(al) OVER here
                       + min(st) OVER here / st
                       + min(aec) OVER here / aec)) AS as_printed,
         digits12(0.2 * (min(amu) OVER here / amu
                       + pcu / max(pcu) OVER here
                       + min(al) OVER here / al
                       + st / max(st) OVER here
                       + min(aec) OVER here / aec)) AS by_arrows
  FROM wide WINDOW here AS (PARTITION BY "group", scale)
),
turned AS (
  SELECT x."group", x.scale, x.technique, list(y.technique ORDER BY y.technique) AS turned
  FROM scored x JOIN scored y ON y."group" = x."group" AND y.scale IS NOT DISTINCT FROM x.scale
  WHERE sign(x.as_printed - y.as_printed) * sign(x.by_arrows - y.by_arrows) < 0
  GROUP BY ALL
)
SELECT s."group", title, s.scale, s.technique, coalesce(normalised, MAP {}) AS normalised,
       as_printed, CASE WHEN as_printed IS NOT NULL THEN
         rank() OVER (PARTITION BY s."group", s.scale ORDER BY as_printed DESC NULLS LAST) END AS rank_as_printed,
       by_arrows, CASE WHEN by_arrows IS NOT NULL THEN
         rank() OVER (PARTITION BY s."group", s.scale ORDER BY by_arrows DESC NULLS LAST) END AS rank_by_arrows,
       coalesce(turned, []) AS turned,
       list_filter(['amu', 'pcu', 'al', 'st', 'aec'], lambda name: CASE name
         WHEN 'amu' THEN amu WHEN 'pcu' THEN pcu WHEN 'al' THEN al WHEN 'st' THEN st ELSE aec END IS NULL) AS missing
FROM scored s LEFT JOIN turned t
  ON t."group" = s."group" AND t.scale IS NOT DISTINCT FROM s.scale AND t.technique = s.technique
ORDER BY group_place, scale_place, rank_by_arrows, quality_rank, s.technique;
