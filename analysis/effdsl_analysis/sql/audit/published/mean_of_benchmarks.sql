-- Is Avg Perf the mean of the six benchmarks? Section 5.5 says so; Table 9 prints the mean, Table 16 the scores. A
-- finding per row that is off by more than rounding.
WITH means AS (
  SELECT a.*, s.cell AS scores,
         (s.mmlu_pro + s.bbh + s.gpqa + s.ifeval + s.math + s.musr) / 6 AS mean
  FROM printed_rows a JOIN printed_rows s ON s.model = a.model AND s.method = a.method AND s.table_number = 16
  WHERE a.table_number = 9
)
SELECT 'error' AS severity, 'Table 9 and Table 16' AS "table",
       cells_of(cell, ['avg_perf']) || cells_of(scores, ['mmlu_pro', 'bbh', 'gpqa', 'ifeval', 'math', 'musr']) AS cells,
       format('Avg Perf is printed as {}; the six scores of Table 16 have the mean {:.4f}, {:.2g}% away.',
              cell['avg_perf'].printed, mean, 100 * abs(avg_perf / mean - 1)) AS explanation
FROM means WHERE abs(avg_perf - mean) > 0.00011
ORDER BY line;
