-- LoHa and GLoRA have the two lowest losses after full fine-tuning on SD 3.5 (Table 13).
-- Neither of the two is above any other PEFT method.
WITH each AS (
  FROM extreme_but('fine_tuning', 'image and video', 'loss', 'loha', 'lowest', ['glora', 'full'])
  UNION ALL
  FROM extreme_but('fine_tuning', 'image and video', 'loss', 'glora', 'lowest', ['loha', 'full'])
)
SELECT size AS "case", CASE WHEN count(DISTINCT technique) > 1 OR NOT every(supports) THEN every(supports) END AS supports,
       string_agg(shown, ' | ' ORDER BY technique) AS shown, source
FROM each
WHERE size = 'stable-diffusion-3.5-medium'
GROUP BY setting, source, size;
