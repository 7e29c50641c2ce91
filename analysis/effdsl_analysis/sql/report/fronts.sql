-- Which techniques does no other beat, for every two metrics of every panel? From the table `entries`.
-- One row per panel and pair of metrics (x before y in the panel's order): the techniques on the front, judged by the
-- means of what was measured.

WITH
pairs AS MATERIALIZED (
  SELECT concat_ws(' ', a."group", a.metric_place, b.metric_place) AS grp, a."group",
         a.metric_place AS x, b.metric_place AS y, a.technique,
         CASE a.better WHEN 'higher' THEN -a.value ELSE a.value END AS wanted_x,
         CASE b.better WHEN 'higher' THEN -b.value ELSE b.value END AS wanted_y
  FROM entries a JOIN entries b
    ON b."group" = a."group" AND b.technique = a.technique AND a.metric_place < b.metric_place
),
points AS MATERIALIZED (
  SELECT technique AS point, grp, wanted_x AS x1, wanted_y AS x2, wanted_x AS x3, wanted_x AS x4, wanted_x AS x5, wanted_x AS x6
  FROM pairs
)
SELECT p."group", p.x, p.y, list(p.technique ORDER BY p.technique) AS front
FROM pairs p JOIN pareto_front('points') f ON f.grp = p.grp AND f.point = p.technique
GROUP BY ALL ORDER BY ALL;
