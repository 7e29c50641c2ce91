-- Do GPU hours and AL agree? Hours / AL is the number of iterations; runs of one size that see the same tokens in the
-- same batch need the same number. What AL leaves out (validation, checkpoints) adds little: more than 5% is a warning.
-- A finding per table and size.
WITH counted AS (
  SELECT *, gpu_hours_per_gpu * 3600 / al_s_per_iter AS iterations FROM printed_rows
),
groups AS (
  SELECT table_number, "table", "size",
         flatten(list(cells_of(cell, ['gpu_hours_per_gpu', 'al_s_per_iter']) ORDER BY line)) AS cells,
         string_agg(format('{} {:,.0f}', technique, iterations), ', ' ORDER BY line) AS shown, min(line) AS place
  FROM counted GROUP BY table_number, "table", "size" HAVING max(iterations) / min(iterations) > 1.05
)
SELECT 'warning' AS severity, "table", cells,
       format('GPU hours / AL gives these iterations at {}: {}. The same tokens in the same batch take the same number. '
              'Assumed: one batch at a size, and little time that AL leaves out.',
              "size", shown) AS explanation
FROM groups ORDER BY table_number, place;
