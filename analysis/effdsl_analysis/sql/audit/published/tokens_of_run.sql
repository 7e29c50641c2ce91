-- Do TT and GPU hours give the tokens of the run? TT × parameters × hours × 3600 is the number of tokens seen; the paper
-- (section 5.3) trains every model on 350 billion. A MoE model is left out: what its parameters are is not stated.
-- A finding per table.
WITH runs AS (
  SELECT *, tt_tokens_per_param_s * parameters_b * 1e9 * gpu_hours_per_gpu * 3600 AS tokens
  FROM printed_rows WHERE stage = 'pretraining' AND coalesce(experts, 1) = 1
)
SELECT 'error' AS severity, "table",
       flatten(list(cells_of(cell, ['tt_tokens_per_param_s', 'gpu_hours_per_gpu']) ORDER BY line)) AS cells,
       format('TT × parameters × GPU hours gives {:.3g} to {:.3g} tokens, {:.3g} to {:.3g} times the 350 billion of a run '
              '(section 5.3). Assumed: TT counts all GPUs together; per GPU it is further off.',
              min(tokens), max(tokens), min(tokens) / 350e9, max(tokens) / 350e9) AS explanation
FROM runs WHERE abs(tokens / 350e9 - 1) > 0.05
GROUP BY table_number, "table" ORDER BY table_number;
