-- The values of the subjects of measured_subjects.sql, one per repeat. Parameter: $exact (names of the metrics that are
-- computed rather than measured, so that one repeat is all there is to know). MCR, which no result has by itself, is that
-- of the view `compression` by Avg Perf, the paper's score; by another score it is another quantity.

CREATE OR REPLACE TEMP TABLE observations AS
WITH found AS (
  FROM (SELECT key, cell, seed, metric, value FROM measurements WHERE metric <> 'mcr')
  UNION ALL
  SELECT key, cell, seed, 'mcr', mcr FROM compression WHERE score_of = 'avg_perf' AND mcr IS NOT NULL
)
SELECT s.cell, m.metric, m.seed, digits12(m.value) AS value, list_contains($exact::VARCHAR[], m.metric) AS exact,
       NULL::VARCHAR AS printed, m.key
FROM found m JOIN subjects s ON split_part(s.cell, ' ', 1) = m.cell
WHERE (m.key, m.metric) NOT IN (FROM repeated_evaluations());
