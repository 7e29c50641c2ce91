-- Below 14B rsLoRA does not beat LoRA (Table 7).
-- In none of what it is said to win from 14B on: loss (C32), AL (C34) and AEC (C35).
WITH beats AS (
  SELECT *, 'loss' AS metric FROM than('fine_tuning', 'text', 'loss', 'rslora', 'lower', 'lora')
  UNION ALL
  SELECT *, 'AL' AS metric FROM than('fine_tuning', 'text', 'al_s_per_iter', 'rslora', 'lower', 'lora')
  UNION ALL
  SELECT *, 'AEC' AS metric FROM than('fine_tuning', 'text', 'aec_w', 'rslora', 'lower', 'lora')
)
SELECT format('{}, {}', metric, "case") AS "case", NOT supports AS supports, * EXCLUDE ("case", supports, metric)
FROM beats
WHERE billions < 14 AND about_data(dataset, 'openo1-sft')
ORDER BY metric DESC, billions, "case";
