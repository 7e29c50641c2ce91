-- Below 14B rsLoRA does not beat LoRA (Table 7).
-- To beat it is to have both a lower AL and a lower AEC: the two that section 2.1 calls rsLoRA's efficiency.
WITH both_metrics AS (
  SELECT *, 'AL' AS metric FROM than('fine_tuning', 'text', 'al_s_per_iter', 'rslora', 'lower', 'lora')
  UNION ALL
  SELECT *, 'AEC' AS metric FROM than('fine_tuning', 'text', 'aec_w', 'rslora', 'lower', 'lora')
)
SELECT size AS "case",
       CASE WHEN count(DISTINCT metric) = 2 OR NOT every(supports) THEN NOT every(supports) END AS supports,
       string_agg(metric || ' ' || shown, ' | ' ORDER BY metric DESC) AS shown,
       source, technique
FROM both_metrics
WHERE billions < 14 AND dataset = 'openo1-sft'
GROUP BY setting, source, size, billions, technique
ORDER BY billions, size;
