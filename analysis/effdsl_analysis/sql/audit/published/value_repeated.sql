-- Which single values return? For the same method on another model or data, or for another method on the same ones (as a
-- loss, or with five digits). So many digits rarely agree by chance; over a whole table they may, once or twice, so each
-- is a note. Times are left out, since they are printed on a coarse grid (latency_from_rate), and so are rows of one run and
-- what rows_repeated and series_repeated already tell. A finding per pair of values.
WITH candidates AS (
  SELECT *, concat_ws(' on ', "size", dataset) AS place FROM printed
  WHERE stage <> 'inference' AND digits >= 4
    AND metric NOT IN ('al_s_per_iter', 'tt_tokens_per_param_s', 'st_samples_per_param_s', 'gpu_hours_per_gpu')
),
equal AS (
  SELECT a.metric, a.printed, a.digits, a.technique, a.place, b.technique AS other_technique, b.place AS other_place,
         a.table_number, b.table_number AS other_table, a.line, b.line AS other_line, [a.cell, b.cell] AS cells
  FROM candidates a JOIN candidates b ON b.metric = a.metric AND b.printed = a.printed
  WHERE (a.table_number, a.line) < (b.table_number, b.line)
    AND NOT EXISTS (FROM same_runs s JOIN same_runs t USING (run)
                    WHERE s.table_number = a.table_number AND s.line = a.line
                      AND t.table_number = b.table_number AND t.line = b.line)
  QUALIFY count(*) OVER (PARTITION BY a.table_number, a.line, b.table_number, b.line) = 1
),
pairs AS (
  FROM equal
  WHERE CASE WHEN technique = other_technique THEN place <> other_place
             ELSE place = other_place AND (metric = 'loss' OR digits >= 5) END
)
SELECT 'note' AS severity,
       CASE WHEN table_number = other_table THEN format('Table {}', table_number)
            ELSE format('Table {} and Table {}', table_number, other_table) END AS "table",
       cells, format('{} is {} for {} of {} and for {} of {}.', metric, printed, technique, place, other_technique,
                     other_place) AS explanation
FROM pairs
QUALIFY (technique <> other_technique OR count(*) OVER (PARTITION BY metric, place, other_place) = 1)
    AND (place <> other_place OR count(*) OVER (PARTITION BY metric, technique, other_technique) = 1)
ORDER BY table_number, line, other_table, other_line;
