-- LoRA-plus is consistently balanced across the VLMs (Table 12).
-- Balanced: on none of loss, AMU, AL and AEC is every other method better.
WITH judged AS (
  SELECT setting, source, size, billions, technique_a AS technique, a, label,
         every(CASE WHEN NOT open(verdict) THEN verdict = 'lower' END) AS worst
  FROM contrasted('fine_tuning', 'vision-language') JOIN metrics ON name = metric
  WHERE same_size AND method_a = 'lora-plus' AND method_b <> 'lora-plus'
    AND metric IN ('loss', 'amu_gb', 'al_s_per_iter', 'aec_w')
  GROUP BY setting, source, size, billions, technique_a, a, label
)
SELECT size AS "case",
       CASE WHEN bool_or(worst) THEN false WHEN every(NOT worst) AND count(*) = 4 THEN true END AS supports,
       coalesce('every other method is better on '
                || string_agg(label, ', ' ORDER BY label) FILTER (worst),
                'last on none of ' || string_agg(label, ', ' ORDER BY label)) AS shown,
       source, technique
FROM judged
GROUP BY setting, source, size, billions, technique, a
ORDER BY billions, size;
