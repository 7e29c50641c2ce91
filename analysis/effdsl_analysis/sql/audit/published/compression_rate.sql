-- Does MCR follow from size and score? Eq. 9: (size of the original / size) × (score / score of the original). With the
-- nominal 16 bits of bfloat16 and float16 and the 4 bits of int4 the first factor is 1 or 4. A finding per value that
-- is off by more than rounding.
WITH pairs AS (
  SELECT q.*, b.cell AS base_cell, b.avg_perf AS base_perf, CASE q.method WHEN 'int4' THEN 4 ELSE 1 END AS nominal,
         q.off['avg_perf'] + b.off['avg_perf'] + q.off['mcr'] AS loose
  FROM printed_rows q JOIN printed_rows b ON b.table_number = q.table_number AND b.model = q.model AND b.method = 'bfloat16'
  WHERE q.mcr IS NOT NULL
)
SELECT 'error' AS severity, "table", cells_of(cell, ['mcr', 'avg_perf']) || cells_of(base_cell, ['avg_perf']) AS cells,
       format('By eq. 9 MCR is {} × {} / {} = {:.4f}; printed is {}.', nominal, cell['avg_perf'].printed,
              base_cell['avg_perf'].printed, nominal * avg_perf / base_perf, cell['mcr'].printed) AS explanation
FROM pairs WHERE abs(mcr / (nominal * avg_perf / base_perf) - 1) > loose
ORDER BY table_number, line;
