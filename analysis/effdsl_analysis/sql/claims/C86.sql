-- More than 100 pairs of model and technique are printed (rows of Tables 3 to 13).
-- Other evidence can show as many, but having fewer contradicts nothing: what the paper printed is not its subject.
WITH results AS (
  SELECT DISTINCT CASE WHEN printed IS NULL THEN split_part(cell, ' ', 1) ELSE cell END AS result, printed IS NOT NULL AS printed,
         model, size, technique
  FROM figures JOIN judged_metrics() USING (axis, modality, metric)
)
SELECT 'results' AS "case", CASE WHEN count(DISTINCT result) > 100 THEN true WHEN bool_or(printed) THEN false END AS supports,
       format('{} results of {} different pairs', count(DISTINCT result), count(DISTINCT (size, technique))) AS shown,
       'size' AS tests
FROM results HAVING count(*) > 0;
