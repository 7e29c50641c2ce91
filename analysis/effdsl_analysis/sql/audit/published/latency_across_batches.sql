-- Which latencies are compared although their iterations differ in size? ST × parameters × AL is the number of samples in
-- an iteration; an AL over three times the samples is not three times as slow. A difference of more than 5% within a
-- model is a warning. The micro-batch that Table 3 prints per scale is a note: its AL may be compared within a scale
-- only. A finding per model, or per table.
WITH products AS (
  SELECT *, st_samples_per_param_s * parameters_b * 1e9 * al_s_per_iter AS samples
  FROM printed_rows WHERE stage = 'fine-tuning'
),
groups AS (
  SELECT table_number, "table", model, flatten(list(cells_of(cell, ['al_s_per_iter']) ORDER BY line)) AS cells,
         string_agg(format('{} {:.3g}', technique, samples), ', ' ORDER BY line) AS shown, min(line) AS place
  FROM products GROUP BY table_number, "table", model HAVING max(samples) / min(samples) > 1.05
)
SELECT 'warning' AS severity, "table", cells,
       format('AL of {} is over different numbers of samples per iteration (ST × parameters × AL): {}. Compare AL per '
              'sample instead.', model, shown) AS explanation, table_number, place
FROM groups
UNION ALL
SELECT 'note', "table", flatten(list(cells_of(cell, ['al_s_per_iter']) ORDER BY line)),
       format('The micro-batch differs by scale ({}), so an AL may be compared within a scale, not across scales.',
              list_aggregate(list_sort(list_distinct(list(format('{} at {}', micro_batch_size, "size")))),
                             'string_agg', ', ')), table_number, 0
FROM printed_rows WHERE micro_batch_size IS NOT NULL
GROUP BY table_number, "table" HAVING count(DISTINCT micro_batch_size) > 1
ORDER BY table_number, place;
