-- Which pretraining throughputs need more FLOP/s than the GPUs have? TT times the parameters is tokens per second, and
-- a token costs at least 6 FLOPs per parameter (forward and backward, attention not counted). A MoE model is taken at
-- its base size, which is less than what is active. Impossible whatever the software. A finding per table.
WITH rates AS (
  SELECT *, 6 * tt_tokens_per_param_s * pow(parameters_b * 1e9, 2) / (devices * peak_flops) AS of_peak
  FROM printed_rows WHERE stage = 'pretraining' AND modality = 'text'
)
SELECT 'error' AS severity, "table", flatten(list(cells_of(cell, ['tt_tokens_per_param_s']) ORDER BY line)) AS cells,
       format('TT × parameters is up to {:,.0f} tokens/s; at 6 FLOPs per parameter and token that takes {:.3g} to {:.3g} '
              'times the dense bfloat16 peak of {} × {} ({:.4g} FLOP/s each). No run can be faster than the peak.',
              max(tt_tokens_per_param_s * parameters_b * 1e9), min(of_peak), max(of_peak), any_value(devices),
              any_value(hardware), any_value(peak_flops)) AS explanation
FROM rates WHERE of_peak * (1 - off['tt_tokens_per_param_s']) > 1
GROUP BY table_number, "table" ORDER BY table_number;
