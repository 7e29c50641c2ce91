-- The printed values that are ranked, in the leaderboard's groups.
--
-- One row per group, technique, scale and metric:
--   "group", group_place, title     of groups.sql
--   scale, scale_place              the size or model, in the order of its table. NULL where techniques have sizes of their
--                                   own (moe and dense): there the whole group is one comparison.
--   metric, metric_place            'performance' for the group's quality, else the paper's short name in lower case;
--                                   quality first, then in the order of the paper's columns
--   "column", label, unit, better   of the metric
--   usual                           whether it is ranked unasked: all of these are

CREATE OR REPLACE TEMP TABLE entries AS
WITH
sized AS (
  SELECT *, bool_or(technique <> method) OVER (PARTITION BY "group") AS sizes_of_their_own,
         min(line) OVER (PARTITION BY "group", size) AS size_place
  FROM published_rows()
)
SELECT s."group", s.place AS group_place, s.title, s.technique,
       CASE WHEN NOT sizes_of_their_own THEN s.size END AS scale,
       CASE WHEN NOT sizes_of_their_own THEN size_place END AS scale_place,
       CASE s.metric WHEN s.quality THEN 'performance' ELSE m.short END AS metric,
       CASE s.metric WHEN s.quality THEN 0 ELSE p.place END AS metric_place,
       s.metric AS "column", m.label, m.unit, m.better, true AS usual, digits12(s.value) AS value
FROM sized s JOIN metrics m ON m.name = s.metric LEFT JOIN paper_metrics() p ON p.name = s.metric
WHERE s.metric = s.quality OR p.name IS NOT NULL;
