-- int4 cuts memory by up to 3.9x (Table 9).
-- A case per model for the direction against bfloat16, and one for the size: the largest cut is about 3.9x.
SELECT *, 'direction' AS tests
FROM than('precision', 'text', 'amu_gb', 'int4', 'lower', 'bfloat16')
UNION ALL BY NAME
SELECT 'up to 3.9x' AS "case",
       about(first(ratio_low ORDER BY ratio DESC), first(ratio_high ORDER BY ratio DESC), 3.9, 0.1) AS supports,
       format('the largest cut is {:.3g}x, {}', max(ratio), first(size ORDER BY ratio DESC, size)) AS shown, source,
       'size' AS tests
FROM against('precision', 'text', 'amu_gb', 'bfloat16', 'int4') WHERE same_size GROUP BY setting, source;
