-- Which models have two sizes? Tables 2 and 15 list models with their parameters; a table of results that names another
-- number means another model, or ST and TT (per parameter) are off by that factor. A finding per model and table.
SELECT 'error' AS severity, format('{} and Table {}', p."table", l.table_number) AS "table",
       list(p.cell ORDER BY p.line) AS cells,
       format('{} prints {} ({:g}B parameters), Table {} lists {} with {}. Rates per parameter differ by {:.3g} times.',
              p."table", any_value(p.model_printed), p.parameters_b, l.table_number, p.model, l.parameters_printed,
              greatest(p.parameters_b / l.parameters_b, l.parameters_b / p.parameters_b)) AS explanation
FROM printed p JOIN listed_models l ON l.model = p.model
WHERE p.parameters_b <> l.parameters_b AND p.metric = 'st_samples_per_param_s'
GROUP BY p.table_number, p."table", p.model, p.parameters_b, l.table_number, l.parameters_printed, l.parameters_b
ORDER BY p.table_number, p.model;
