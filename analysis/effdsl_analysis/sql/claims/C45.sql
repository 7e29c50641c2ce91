-- Full fine-tuning used half the PEFT batch size, which is ST x AL x parameters (Table 7).
-- The batch of the PEFT methods is their median. Two cases per model: fewer samples, and about half of them. ST has
-- three digits, so that a difference below 1% is none. It is said of the paper's own runs: what others were given says nothing
-- of it.
WITH batches AS (
  SELECT setting, source, size, size_b, cell, method,
         max(value) FILTER (metric = 'st_samples_per_param_s') * max(value) FILTER (metric = 'al_s_per_iter')
           * size_b * 1e9 AS samples
  FROM figures
  WHERE axis = 'fine_tuning' AND modality = 'text' AND dataset = 'openo1-sft' AND printed IS NOT NULL
  GROUP BY setting, source, size, size_b, cell, method
),
compared_batches AS (
  SELECT setting, source, size, size_b, any_value(samples) FILTER (method = 'full') AS of_full,
         median(samples) FILTER (method <> 'full') AS of_peft, of_full / of_peft AS share,
         format('full {:.3g} samples; PEFT {:.3g}', of_full, of_peft) AS shown
  FROM batches GROUP BY setting, source, size, size_b HAVING share IS NOT NULL ORDER BY size_b, size, setting
)
SELECT 'fewer, ' || size AS "case", share < 0.99 AS supports, shown, source, 'direction' AS tests FROM compared_batches
UNION ALL BY NAME
SELECT 'half, ' || size AS "case", about(share, share, 0.5, 0.01) AS supports, shown, source, 'size' AS tests
FROM compared_batches;
