-- Avg Perf is the mean of the six benchmarks of Table 16 (Table 9).
-- Equal within rounding: the mean of six numbers with four digits is right to 0.00005, and so is Avg Perf itself. The
-- benchmarks are those of the same model and precision, printed in another table or measured with Avg Perf.
WITH means AS (
  SELECT cell, size, technique, avg(value) AS mean
  FROM figures JOIN benchmarks() USING (metric)
  WHERE axis = 'precision' AND modality = 'text'
  GROUP BY cell, size, technique HAVING count(*) = 6
)
SELECT format('{}, {}', technique, size) AS "case", within(f.value - mean, f.value - mean, -0.0001, 0.0001) AS supports,
       format('{:.4f}; mean of six {:.5f}', f.value, mean) AS shown, source
FROM figures f JOIN means m USING (size, technique)
WHERE metric = 'avg_perf' AND axis = 'precision' AND modality = 'text'
  AND (m.cell = f.cell OR f.cell NOT IN (SELECT cell FROM means))
ORDER BY size_b, size, technique;
