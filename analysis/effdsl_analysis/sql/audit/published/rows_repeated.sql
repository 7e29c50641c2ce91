-- Which rows of different techniques or models share their values? AMU, PCU, AEC, the quality, and time (AL, TT, ST and
-- IT count once: they are tied) are independent; two rows that agree in at least two of them, each on at least three
-- digits, were hardly measured twice. Adapter methods on one model do equal work, so their time does not count. Rows of
-- one run that two tables print are left out (see printed_twice).
-- A finding per pair of rows.
WITH independent AS (
  SELECT *, CASE WHEN metric IN ('al_s_per_iter', 'tt_tokens_per_param_s', 'st_samples_per_param_s', 'it_tokens_per_s')
                 THEN 'time' ELSE metric END AS quantity
  FROM printed WHERE digits >= 3 AND table_number <> 16 AND metric NOT IN ('mcr', 'gpu_hours_per_gpu')
),
agreeing AS (
  SELECT a.table_number, b.table_number AS other_table, a.line, b.line AS other_line,
         any_value(a."table") AS "table", any_value(b."table") AS "other",
         any_value(format('{} / {}', a.technique, a."size")) AS row_a,
         any_value(format('{} / {}', b.technique, b."size")) AS row_b,
         flatten(list([a.cell, b.cell] ORDER BY a.metric)) AS cells,
         string_agg(format('{} {}', a.metric, a.printed), ', ' ORDER BY a.metric) AS shown
  FROM independent a JOIN independent b ON b.metric = a.metric AND b.printed = a.printed
  WHERE (a.table_number, a.line) < (b.table_number, b.line)
    AND NOT EXISTS (FROM same_runs s JOIN same_runs t USING (run)
                    WHERE s.table_number = a.table_number AND s.line = a.line
                      AND t.table_number = b.table_number AND t.line = b.line)
  GROUP BY ALL HAVING count(DISTINCT a.quantity) FILTER (
    a.quantity <> 'time' OR a.stage <> 'fine-tuning' OR a.model <> b.model OR 'full' IN (a.method, b.method)) >= 2
)
SELECT 'warning' AS severity, CASE WHEN "table" = "other" THEN "table" ELSE "table" || ' and ' || "other" END AS "table",
       cells, format('{} and {} are printed with the same {}.', row_a, row_b, shown) AS explanation
FROM agreeing ORDER BY table_number, line, other_table, other_line;
