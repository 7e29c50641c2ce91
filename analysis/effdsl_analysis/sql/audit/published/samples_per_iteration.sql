-- Do ST, AL and parameters agree? By eq. 3 and 5, ST × parameters × AL is the number of samples in an iteration: a whole
-- number, and a multiple of 8 where the paper names 8 GPUs that each take the same share. Off by more than rounding and
-- 1% (for a last, smaller batch) it is none. An error on the named node; a note elsewhere, where a size rounded by a few
-- percent explains it. A finding per model.
WITH products AS (
  SELECT *, st_samples_per_param_s * parameters_b * 1e9 * al_s_per_iter AS samples, coalesce(devices, 1) AS share,
         off['st_samples_per_param_s'] + off['al_s_per_iter'] + 0.01 AS loose
  FROM printed_rows WHERE stage = 'fine-tuning'
)
SELECT CASE WHEN share > 1 THEN 'error' ELSE 'note' END AS severity, "table",
       flatten(list(cells_of(cell, ['st_samples_per_param_s', 'al_s_per_iter']) ORDER BY line)) AS cells,
       format('ST × parameters × AL gives {} samples per iteration for {}, not {}. Assumed: {:g}B parameters, as printed.',
              string_agg(format('{} {:.4g}', technique, samples), ', ' ORDER BY line), model,
              CASE WHEN share > 1 THEN format('a multiple of its {} GPUs', share) ELSE 'a whole number' END,
              parameters_b) AS explanation
FROM products
WHERE abs(samples / share - round(samples / share)) * share > samples * loose
GROUP BY table_number, "table", model, parameters_b, share ORDER BY table_number, min(line);
