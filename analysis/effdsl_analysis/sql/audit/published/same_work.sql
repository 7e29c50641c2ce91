-- Which methods that do the same work differ in time or memory? LoRA-plus changes a learning rate of LoRA
-- (arXiv 2402.12354), RSLoRA its scaling factor (2312.03732), PiSSA its initial weights (2404.02948): at the same rank
-- and batch an iteration is the same. Seconds per sample (1 / (ST × parameters)) or AMU more than 25% apart within a
-- model is a warning. A finding per model and metric.
WITH alike AS (
  SELECT *, 'seconds per sample' AS what, 1 / (st_samples_per_param_s * parameters_b * 1e9) AS value,
         'st_samples_per_param_s' AS metric
  FROM printed_rows WHERE method IN ('lora', 'lora-plus', 'rslora', 'pissa') AND st_samples_per_param_s IS NOT NULL
  UNION ALL
  SELECT *, 'AMU (GB)', amu_gb, 'amu_gb' FROM printed_rows WHERE method IN ('lora', 'lora-plus', 'rslora', 'pissa')
)
SELECT 'warning' AS severity, "table", flatten(list(cells_of(cell, [metric]) ORDER BY line)) AS cells,
       format('{} for {}: {}. These methods do the same work per iteration. Assumed: one rank and batch.', what, model,
              string_agg(format('{} {:.4g}', technique, value), ', ' ORDER BY line)) AS explanation
FROM alike GROUP BY table_number, "table", model, what HAVING max(value) / min(value) > 1.25 AND count(*) > 1
ORDER BY table_number, min(line), what;
