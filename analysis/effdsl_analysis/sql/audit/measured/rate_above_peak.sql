-- Which speeds need more FLOP/s than the devices have? An MFU above 1 says so itself. Independently of it: a token costs
-- at least 6 FLOPs per active parameter that is not looked up (token and position embeddings are left out). A finding per
-- result and way to see it.
WITH rates AS (
  SELECT key, short_key, seen, ['mfu'] AS metrics, mfu AS of_peak, 'MFU' AS what FROM taken
  UNION ALL
  SELECT key, short_key, seen, ['tokens_per_s'],
         6 * greatest(active_parameters - (vocab_size + context_length) * hidden_size, 0) * tokens_per_s
           / (peak_flops * hardware_count),
         'tokens/s × 6 FLOPs per active parameter over the peak' FROM taken
)
SELECT 'error' AS severity, short_key AS "table", cells_of(seen, metrics) AS cells,
       format('{} is {:.4g}; nothing runs above the peak.', what, of_peak) AS explanation
FROM rates WHERE of_peak > 1
ORDER BY key, what;
