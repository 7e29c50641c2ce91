-- Which quantities does the paper print with two values? The base model stands in Tables 3 to 6 and the DiT with
-- multi-head attention in Tables 10 and 11 (same_runs). If these are the same runs, each metric has one value. More than
-- 2% apart is a warning, less a note: a second run would explain it, though none is mentioned. A finding per run and metric.
WITH values_ AS (
  SELECT run, metric, list(cell ORDER BY table_number) AS cells, max(value) / min(value) - 1 AS apart,
         string_agg(format('{} ({})', printed, "table"), ', ' ORDER BY table_number) AS shown,
         min(table_number) AS first_
  FROM printed JOIN same_runs USING (table_number, line)
  GROUP BY run, metric HAVING count(DISTINCT value) > 1
)
SELECT CASE WHEN apart > 0.02 THEN 'warning' ELSE 'note' END AS severity,
       list_aggregate(list_transform(cells, lambda c: c."table"), 'string_agg', ' and ') AS "table", cells,
       format('{} of the {} is printed as {}: {:.3g}% apart. Assumed: these rows are one run, since the '
              'paper names one model there.', metric, run, shown, 100 * apart) AS explanation
FROM values_ ORDER BY first_, run, metric;
