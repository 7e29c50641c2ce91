-- bfloat16 uses about 9% less energy than float16 (Table 9).
-- Energy is the AEC. A case per model for the direction; the size is that of the mean over the models.
SELECT *, 'direction' AS tests
FROM than('precision', 'text', 'aec_w', 'bfloat16', 'lower', 'float16')
UNION ALL BY NAME
SELECT 'mean about 9%' AS "case", about(avg(-percent_high), avg(-percent_low), 9, 1) AS supports,
       format('{:+.3g}% against float16, mean of {} models', avg(percent), count(*)) AS shown, source,
       'size' AS tests
FROM against('precision', 'text', 'aec_w', 'bfloat16', 'float16') WHERE same_size GROUP BY setting, source;
