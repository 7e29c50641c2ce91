-- What the paper printed, as the report draws it: one row per table, size, technique and metric, in the order of the tables.
--
--   scale      the size or model; NULL where each technique has a size of its own (moe and dense), so that the table is
--              one comparison
-- A metric that says how good the model is comes first; what describes a run (GPU hours) is left out.

WITH
printed AS (
  SELECT p.table_number, p.axis, p.modality, p.line, p.technique,
         CASE WHEN NOT bool_or(technique <> method) OVER (PARTITION BY table_number) THEN size END AS scale,
         p.metric, m.is_quality AS quality, m.place, digits12(p.value) AS value
  FROM published p JOIN metrics m ON m.name = p.metric
  WHERE p.metric <> 'gpu_hours_per_gpu'
)
SELECT * EXCLUDE (line, place, quality) FROM printed
ORDER BY table_number, min(line) OVER (PARTITION BY table_number, scale), scale, NOT quality, place, line;
