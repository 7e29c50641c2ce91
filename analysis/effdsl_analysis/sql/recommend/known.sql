-- What can be asked about? One row: axes, sizes and metrics that the evidence has.
SELECT (SELECT list(DISTINCT axis ORDER BY axis) FROM subjects) AS axes,
       coalesce((SELECT list(DISTINCT size ORDER BY size) FROM subjects WHERE size IS NOT NULL), []) AS sizes,
       (SELECT list(DISTINCT metric ORDER BY metric) FROM figures) AS metrics;
