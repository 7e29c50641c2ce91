-- Which values are on the wrong side of one that bounds them? A mean is at most the peak, a percentile at most the next, the
-- measured iterations at most the whole training, a training at most its task, one byte takes no more nats than the token it
-- is part of, and a sequence has at most as many tokens as the context. A finding per result and bound.
WITH bounds AS (
  SELECT key, short_key, seen, 'mean memory' AS one, amu_gb AS less, 'its peak' AS other, peak_memory_gb AS more,
         ['amu_gb', 'peak_memory_gb'] AS metrics FROM taken
  UNION ALL
  SELECT key, short_key, seen, 'memory over the baseline', memory_over_baseline_gb, 'the peak', peak_memory_gb,
         ['memory_over_baseline_gb', 'peak_memory_gb'] FROM taken
  UNION ALL
  SELECT key, short_key, seen, 'p50', p50_s_per_iter, 'p95', p95_s_per_iter, ['p50_s_per_iter', 'p95_s_per_iter'] FROM taken
  UNION ALL
  SELECT key, short_key, seen, 'p95', p95_s_per_iter, 'p99', p99_s_per_iter, ['p95_s_per_iter', 'p99_s_per_iter'] FROM taken
  UNION ALL
  SELECT key, short_key, seen, format('AL × {} measured iterations', measured_iterations),
         al_s_per_iter * measured_iterations,
         'the time of the training', time_to_finish_s, ['al_s_per_iter', 'time_to_finish_s'] FROM taken
  UNION ALL
  SELECT key, short_key, seen, 'the time of the training', time_to_finish_s, 'the time of its task', duration_s,
         ['time_to_finish_s'] FROM taken WHERE duration_s > 0
  UNION ALL
  SELECT key, short_key, seen, 'nats per byte', bits_per_byte * ln(2), 'nats per token', held_out_loss,
         ['bits_per_byte', 'held_out_loss'] FROM taken
  UNION ALL
  SELECT key, short_key, seen, 'tokens/s × AL', tokens_per_s * al_s_per_iter, 'batch × context',
         (batch_size * context_length)::DOUBLE, ['tokens_per_s', 'al_s_per_iter'] FROM taken
)
SELECT 'error' AS severity, short_key AS "table", cells_of(seen, metrics) AS cells,
       format('{} is {:.6g}, above {}, {:.6g}.', one, less, other, more) AS explanation
FROM bounds WHERE less > more * (1 + 1e-6)
ORDER BY key, one;
