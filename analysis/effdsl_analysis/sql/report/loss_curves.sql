-- How does the loss fall? Parameters: $study (NULL: everything), $points (how many steps are kept of a curve).
-- One row per cell, kind (train, held_out) and step: mean, lowest and highest loss over the repeats that have a finite one.
-- Steps are kept at even distances, the last one always.

WITH
steps AS (
  SELECT c.cell, l.kind, l.step, digits12(avg(l.loss ORDER BY l.loss)) AS mean, min(l.loss) AS low, max(l.loss) AS high
  FROM loss_curves l JOIN chosen($study, NULL) c USING (key)
  WHERE isfinite(l.loss)
  GROUP BY ALL
),
numbered AS (
  SELECT *, row_number() OVER from_last AS back, count(*) OVER (PARTITION BY cell, kind) AS steps
  FROM steps
  WINDOW from_last AS (PARTITION BY cell, kind ORDER BY step DESC)
)
SELECT cell, kind, step, mean, low, high
FROM numbered
WHERE (back - 1) % ceil(steps / $points)::BIGINT = 0
ORDER BY cell, kind, step;
