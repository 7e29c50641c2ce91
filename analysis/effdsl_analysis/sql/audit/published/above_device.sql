-- Which values are above what the paper's device has? AMU cannot exceed the memory of a GPU, nor AEC its power limit
-- (of the whole module on a GH200). The four GPUs of an inference node are counted together. A finding per value.
WITH limits AS (
  SELECT *, CASE WHEN stage = 'inference' THEN devices ELSE 1 END AS counted FROM printed_rows
),
against AS (
  SELECT *, 'amu_gb' AS metric, amu_gb AS value, memory_gb * counted AS "limit", 'GB of memory' AS what FROM limits
  UNION ALL
  SELECT *, 'aec_w', aec_w, power_limit_w * counted, 'W' FROM limits
)
SELECT 'error' AS severity, "table", cells_of(cell, [metric]) AS cells,
       format('{} {} is above the {:g} {} of {} × {}.', upper(split_part(metric, '_', 1)), cell[metric].printed, "limit",
              what, counted, hardware) AS explanation
FROM against WHERE value * (1 - off[metric]) > "limit"
ORDER BY table_number, line, metric;
