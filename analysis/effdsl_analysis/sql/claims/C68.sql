-- Phi-4 is strong on BBH and GPQA and weak on IFEval, by its bfloat16 rank of nine (Table 16).
-- Strong: in the first third of the models. Weak: in the last third.
WITH ranked AS (
  SELECT setting, source, label, count(*) + 1 AS models,
         count(*) FILTER (verdict = 'higher') + 1 AS first_rank,
         count(*) FILTER (verdict = 'higher' OR open(verdict)) + 1 AS last_rank,
         any_value(value_a) AS value
  FROM contrasted('precision', 'text') JOIN benchmarks() USING (metric)
  WHERE size = 'phi-4' AND other_size <> size AND method_a = 'bfloat16' AND method_b = 'bfloat16'
    AND metric IN ('bbh', 'gpqa', 'ifeval')
  GROUP BY setting, source, label
)
SELECT format('{} on {}', CASE label WHEN 'IFEval' THEN 'weak' ELSE 'strong' END, label) AS "case",
       CASE label WHEN 'IFEval' THEN within(first_rank, last_rank, models * 2 / 3 + 1, models)
                  ELSE within(first_rank, last_rank, 1, models / 3) END AS supports,
       format('{:.4g}, rank {} of {}', value,
              CASE WHEN first_rank = last_rank THEN first_rank::VARCHAR ELSE format('{}-{}', first_rank, last_rank) END,
              models) AS shown,
       source
FROM ranked ORDER BY label;
