-- Which columns that their definitions tie together do not agree? Each tie is an equation between two ways to the same
-- number; they may differ by rounding only (one part in a million). A sequence of pretraining has as many tokens as the context,
-- an example at most so many. A finding per result and equation.
WITH ties AS (
  SELECT key, short_key, seen, 'tokens/s × AL' AS one, tokens_per_s * al_s_per_iter AS left_,
         'batch × context' AS other,
         (batch_size * context_length)::DOUBLE AS right_, ['tokens_per_s', 'al_s_per_iter'] AS metrics
  FROM taken WHERE stage = 'pretraining'
  UNION ALL
  SELECT key, short_key, seen, 'samples/s × AL', samples_per_s * al_s_per_iter, 'batch', batch_size::DOUBLE,
         ['samples_per_s', 'al_s_per_iter'] FROM taken
  UNION ALL
  SELECT key, short_key, seen, 'ST × parameters', st_samples_per_param_s * parameters, 'samples/s', samples_per_s,
         ['st_samples_per_param_s', 'samples_per_s'] FROM taken
  UNION ALL
  SELECT key, short_key, seen, 'forgetting', forgetting, 'the own-domain loss after less that before',
         own_domain_loss - own_domain_loss_before, ['forgetting', 'own_domain_loss', 'own_domain_loss_before'] FROM taken
  UNION ALL
  SELECT key, short_key, seen, 'TT × parameters', tt_tokens_per_param_s * parameters, 'tokens/s', tokens_per_s,
         ['tt_tokens_per_param_s', 'tokens_per_s'] FROM taken
  UNION ALL
  SELECT key, short_key, seen, 'PPL', ppl, 'exp(held-out loss)', exp(held_out_loss), ['ppl', 'held_out_loss'] FROM taken
  UNION ALL
  SELECT key, short_key, seen, 'tokens generated per second', decode_tokens_per_s, '1 / seconds per token',
         1 / decode_s_per_token, ['decode_tokens_per_s', 'decode_s_per_token'] FROM taken
  UNION ALL
  SELECT key, short_key, seen, 'J/token × measured tokens',
         energy_j_per_token * measured_iterations * tokens_per_s * al_s_per_iter,
         'energy', energy_j, ['energy_j_per_token', 'energy_j'] FROM taken WHERE measured_iterations > 0
)
SELECT 'error' AS severity, short_key AS "table", cells_of(seen, metrics) AS cells,
       format('{} is {:.7g}, {} is {:.7g}; they are the same by definition.', one, left_, other, right_) AS explanation
FROM ties WHERE abs(left_ - right_) > 1e-6 * greatest(abs(left_), abs(right_))
ORDER BY key, one;
