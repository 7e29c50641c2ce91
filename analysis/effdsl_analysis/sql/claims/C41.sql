-- DoRA latency runs from 2.1505 to 6.0606 s/iter (Table 7).
-- Two cases: its lowest AL over the models, and its highest. Models of 1B to 24B, which are the sizes of that table.
WITH dora AS (
  SELECT * FROM figures
  WHERE axis = 'fine_tuning' AND modality = 'text' AND metric = 'al_s_per_iter' AND method = 'dora' AND size_b BETWEEN 1 AND 24
    AND about_data(dataset, 'openo1-sft')
)
SELECT 'from 2.1505' AS "case",
       roundly(first(low ORDER BY value), first(high ORDER BY value), 2.1505, 2.1505, 0.0001) AS supports,
       format('the lowest is {:.5g}, {}', min(value), first(size ORDER BY value, size)) AS shown, source, 'size' AS tests
FROM dora GROUP BY setting, source
UNION ALL BY NAME
SELECT 'to 6.0606' AS "case",
       roundly(first(low ORDER BY value DESC), first(high ORDER BY value DESC), 6.0606, 6.0606, 0.0001) AS supports,
       format('the highest is {:.5g}, {}', max(value), first(size ORDER BY value DESC, size)) AS shown, source, 'size' AS tests
FROM dora GROUP BY setting, source;
