-- bfloat16 is about 6% faster than float16, by Sum AL (Table 9).
-- A case per model for the direction; the size is that of the mean over the models.
SELECT *, 'direction' AS tests
FROM than('precision', 'text', 'sum_al_s', 'bfloat16', 'lower', 'float16')
UNION ALL BY NAME
SELECT 'mean about 6%' AS "case", about(avg(-percent_high), avg(-percent_low), 6, 1) AS supports,
       format('{:+.3g}% of time against float16, mean of {} models', avg(percent), count(*)) AS shown, source,
       'size' AS tests
FROM against('precision', 'text', 'sum_al_s', 'bfloat16', 'float16') WHERE same_size GROUP BY setting, source;
