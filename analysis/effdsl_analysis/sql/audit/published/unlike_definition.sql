-- Which columns are not what their equation or unit says? Latency is a mean (eq. 3), but Table 9 prints a sum; TT counts
-- tokens (eq. 4), but the DiT tables give fewer "tokens" per iteration than one image has; AMU is called a share of the
-- memory in the prose of section 5.1, but no share exceeds 1. A finding per table, for AMU one over all tables.
SELECT 'note' AS severity, "table", list(cell ORDER BY line) AS cells,
       'Sum AL is a sum over the evaluation, not the mean of eq. 3: it grows with the number of requests and the length of '
       'answers, so it compares precisions of one model only.' AS explanation, table_number AS place
FROM printed WHERE metric = 'sum_al_s' GROUP BY table_number, "table"
UNION ALL
SELECT 'warning', "table", flatten(list(cells_of(cell, ['tt_tokens_per_param_s', 'al_s_per_iter']) ORDER BY line)),
       format('TT × parameters × AL gives {:.0f} to {:.0f} tokens per iteration; an image of DiT-XL/2 at 256 × 256 alone '
              'has 256 (32 × 32 latents in patches of 2). TT counts images here, not the tokens of eq. 4.',
              min(tt_tokens_per_param_s * parameters_b * 1e9 * al_s_per_iter),
              max(tt_tokens_per_param_s * parameters_b * 1e9 * al_s_per_iter)), table_number
FROM printed_rows
WHERE modality = 'image' AND stage = 'pretraining' AND parameters_b IS NOT NULL
GROUP BY table_number, "table" HAVING max(tt_tokens_per_param_s * parameters_b * 1e9 * al_s_per_iter) < 4096
UNION ALL
SELECT 'note', format('Tables {} to {}', min(table_number), max(table_number)), list(cell ORDER BY table_number),
       format('Section 5.1 calls AMU used over available memory and higher better, but the largest values of {} tables are '
              '{:g} to {:g}, which no share can be, and their arrows point down: they are GB, as in eq. 1.',
              count(*), min(value), max(value)), 0
FROM (FROM printed WHERE metric = 'amu_gb' QUALIFY row_number() OVER (PARTITION BY table_number ORDER BY value DESC, line) = 1)
HAVING min(value) > 1
ORDER BY place;
