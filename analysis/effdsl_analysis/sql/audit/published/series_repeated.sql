-- Which columns repeat? Two models whose values of a metric agree for several methods, or two techniques whose values
-- agree at several sizes, on at least three digits: one repeated value may be chance, several are not. Rates and
-- latencies of adapter methods do equal work and may agree, so time is compared between models only. Rows of one run are
-- left out. A finding per metric and pair.
WITH candidates AS (
  SELECT *, coalesce(model || coalesce(' on ' || dataset, ''), "size") AS place
  FROM printed WHERE digits >= 3 AND stage <> 'inference' AND metric NOT IN ('gpu_hours_per_gpu', 'mcr')
),
equal AS (
  SELECT a.metric, 'models' AS kind, a.place AS one, b.place AS other, a.technique AS at_, a.cell AS c, b.cell AS d,
         a."table" AS t, b."table" AS u, (a.table_number, a.line) AS where_
  FROM candidates a JOIN candidates b
    ON b.metric = a.metric AND b.printed = a.printed AND b.technique = a.technique AND b.place <> a.place
  WHERE (a.table_number, a.line) < (b.table_number, b.line)
  UNION ALL
  SELECT a.metric, 'techniques', a.technique, b.technique, a."size", a.cell, b.cell, a."table", b."table",
         (a.table_number, a.line)
  FROM candidates a JOIN candidates b
    ON b.metric = a.metric AND b.printed = a.printed AND b.technique <> a.technique AND b."size" = a."size"
       AND b.dataset IS NOT DISTINCT FROM a.dataset
  WHERE (a.table_number, a.line) < (b.table_number, b.line)
    AND a.metric NOT IN ('al_s_per_iter', 'tt_tokens_per_param_s', 'st_samples_per_param_s')
    AND NOT EXISTS (FROM same_runs s JOIN same_runs r USING (run)
                    WHERE s.table_number = a.table_number AND s.line = a.line
                      AND r.table_number = b.table_number AND r.line = b.line)
)
SELECT 'warning' AS severity, CASE WHEN t = u THEN t ELSE t || ' and ' || u END AS "table",
       flatten(list([c, d] ORDER BY where_)) AS cells,
       format('{} of {} and {} is the same for {} {}: {}.', metric, one, other, count(*),
              CASE kind WHEN 'models' THEN 'methods' ELSE 'sizes' END,
              string_agg(format('{} {}', at_, c.printed), ', ' ORDER BY where_)) AS explanation
FROM equal GROUP BY metric, kind, one, other, t, u HAVING count(*) >= 2
ORDER BY min(where_), metric;
