-- {metric_means}: the mean over ok repeats for every metric; an energy metric read at two scopes has none.
CREATE OR REPLACE VIEW cells AS
SELECT
    cell,
    left(cell, {shown_digits}) AS short_cell,
    evidence,
    {identity_columns},
    count(*) AS tasks,
    count(*) FILTER (outcome = 'ok') AS n,
    list_sort(list(DISTINCT outcome)) AS outcomes,
    max(meter_scope) FILTER (outcome = 'ok') AS meter_scope,
    {metric_means}
FROM results
GROUP BY cell, evidence;

COMMENT ON VIEW cells IS 'one row per cell: n ok repeats out of tasks, and the mean of every metric over them';
