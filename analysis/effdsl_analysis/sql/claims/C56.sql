-- The highest MCR is about 3.9 (Table 9).
SELECT 'highest MCR' AS "case",
       about(first(low ORDER BY value DESC), first(high ORDER BY value DESC), 3.9, 0.1) AS supports,
       format('{:.5g}, {} in {}', max(value),
              first(technique ORDER BY value DESC, technique, size), first(size ORDER BY value DESC, technique, size)) AS shown, source,
       'size' AS tests
FROM figures
WHERE axis = 'precision' AND modality = 'text' AND metric = 'mcr'
GROUP BY setting, source;
