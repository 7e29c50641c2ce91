-- Which ratios between two methods are the same for every model? Two measurements scatter. If one constant lies within
-- rounding of the ratio for each of at least five models, one column was computed from the other. Also the size ratio
-- inside MCR (eq. 9), which bytes counted with scales and unquantized layers would not make exactly 4. Metrics that
-- definitions tie to size alone are not here. A warning for a metric, a note for sizes. A finding per pair of methods.
WITH values_ AS (
  SELECT table_number, "table", line, model, method, metric, value, half / value AS loose, [cell] AS cells
  FROM printed WHERE stage <> 'pretraining' AND value > 0 AND metric <> 'mcr'
  UNION ALL
  SELECT q.table_number, q."table", q.line, q.model, q.method, 'size in MCR', q.mcr * b.avg_perf / q.avg_perf,
         q.off['mcr'] + q.off['avg_perf'] + b.off['avg_perf'], cells_of(q.cell, ['mcr', 'avg_perf'])
  FROM printed_rows q JOIN printed_rows b ON b.table_number = q.table_number AND b.model = q.model AND b.method = 'bfloat16'
  WHERE q.mcr IS NOT NULL AND q.method IN ('bfloat16', 'int4')
),
ratios AS (
  SELECT a.*, b.method AS base, a.value / b.value AS ratio, a.loose + b.loose AS loose_ratio, b.cells || a.cells AS pair_cells
  FROM values_ a JOIN values_ b USING (table_number, model, metric)
  WHERE b.line < a.line AND a.method <> b.method
)
SELECT CASE metric WHEN 'size in MCR' THEN 'note' ELSE 'warning' END AS severity, any_value("table") AS "table",
       flatten(list(pair_cells ORDER BY line)) AS cells,
       format('{} of {} over {} is {:.4g} for all {} models, to the last printed digit{}', metric, method, base,
              (max(ratio * (1 - loose_ratio)) + min(ratio * (1 + loose_ratio))) / 2, count(*),
              CASE metric WHEN 'size in MCR'
                   THEN ': nominal bits. Eq. 9 asks for bytes, which include scales and the layers that stay unquantized.'
                   ELSE '. Measurements would scatter.' END) AS explanation
FROM ratios GROUP BY table_number, metric, method, base
HAVING count(*) >= 5 AND max(ratio * (1 - loose_ratio)) <= min(ratio * (1 + loose_ratio))
ORDER BY table_number, metric, min(line);
