-- LoRA-plus has the lowest loss of the PEFT methods at 1B and 3B, AMU below 60 GB (Table 7).
-- PEFT methods are all but full fine-tuning, freezing included; those that use 60 GB or more are no rivals.
WITH light AS (SELECT cell FROM figures WHERE axis = 'fine_tuning' AND metric = 'amu_gb' AND value < 60)
SELECT size AS "case",
       CASE WHEN bool_or(verdict = 'lower') THEN false WHEN NOT bool_or(open(verdict)) THEN true END AS supports,
       format('{} {:.5g}; {}', technique_a, any_value(value_a),
              string_agg(format('{} {:.5g}', technique_b, value_b) || noted(verdict), ', '
                         ORDER BY value_b, technique_b)) AS shown,
       source, technique_a AS technique
FROM compared('fine_tuning', 'text', 'loss')
WHERE same_size AND method_a = 'lora-plus' AND method_b NOT IN ('lora-plus', 'full') AND billions IN (1, 3)
  AND about_data(dataset, 'openo1-sft') AND a IN (FROM light) AND b IN (FROM light)
GROUP BY setting, source, size, billions, technique_a, a
ORDER BY billions, size, setting, a;
