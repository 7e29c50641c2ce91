-- The values of the subjects of measured_subjects.sql, one per repeat. Parameter: $exact (names of the metrics that are
-- computed rather than measured, so that one repeat is all there is to know).

CREATE OR REPLACE TEMP TABLE observations AS
SELECT s.cell, m.metric, m.seed, digits12(m.value) AS value, list_contains($exact::VARCHAR[], m.metric) AS exact,
       NULL::VARCHAR AS printed, m.key
FROM measurements m JOIN subjects s ON split_part(s.cell, ' ', 1) = m.cell
WHERE (m.key, m.metric) NOT IN (FROM repeated_evaluations());
