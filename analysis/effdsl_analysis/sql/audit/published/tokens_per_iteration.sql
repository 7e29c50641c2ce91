-- Do TT, AL and parameters agree? By eq. 3 and 4, TT × parameters × AL is the number of tokens in an iteration (of
-- images, in the DiT tables, whose TT counts images). Runs of one table and size that share a batch must give the same
-- number. Where a table has each size once, its rows are compared with each other. A spread above 2% beyond rounding is
-- a warning (parameter counts may differ a little from the printed size), one above 25% an error. A finding per group.
WITH products AS (
  SELECT *, tt_tokens_per_param_s * parameters_b * 1e9 * al_s_per_iter AS per_iteration,
         off['tt_tokens_per_param_s'] + off['al_s_per_iter'] AS loose,
         CASE WHEN count(*) OVER (PARTITION BY table_number, "size") > 1 THEN "size" ELSE 'all sizes' END AS compared
  FROM printed_rows WHERE stage = 'pretraining'
),
spreads AS (
  SELECT table_number, "table", compared, any_value(modality) AS modality, bool_or(experts > 1) AS has_moe,
         flatten(list(cells_of(cell, ['tt_tokens_per_param_s', 'al_s_per_iter']) ORDER BY line)) AS cells,
         string_agg(format('{} {:.4g}', technique, per_iteration), ', ' ORDER BY line) AS shown,
         max(per_iteration * (1 - loose)) / min(per_iteration * (1 + loose)) AS spread, min(line) AS place
  FROM products WHERE per_iteration IS NOT NULL
  GROUP BY table_number, "table", compared HAVING count(*) > 1
)
SELECT CASE WHEN spread > 1.25 THEN 'error' ELSE 'warning' END AS severity, "table", cells,
       format('TT × parameters × AL gives {} per iteration at {}: {}. One batch gives one number. Assumed: the same batch, '
              'and parameters as the size is printed{}.',
              CASE modality WHEN 'text' THEN 'tokens' ELSE 'images' END, compared, shown,
              CASE WHEN has_moe THEN ', of a MoE model one expert''s' ELSE '' END) AS explanation
FROM spreads WHERE spread > 1.02 ORDER BY table_number, place;
