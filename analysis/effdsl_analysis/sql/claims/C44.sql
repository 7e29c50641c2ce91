-- Above 24B full fine-tuning gains less than 0.02 loss while energy doubles (Table 7).
-- The gain, and the energy (AEC), are those over LoRA. 24B itself is not above 24B.
SELECT 'loss, ' || size AS "case", within(-difference_high, -difference_low, '-infinity'::DOUBLE, 0.02) AS supports,
       shown, source, 'size' AS tests
FROM against('fine_tuning', 'text', 'loss', 'full', 'lora') WHERE same_size AND billions > 24 AND about_data(dataset, 'openo1-sft')
UNION ALL BY NAME
SELECT * REPLACE ('AEC, ' || size AS "case"), 'direction' AS tests
FROM than('fine_tuning', 'text', 'aec_w', 'full', 'higher', 'lora') WHERE billions > 24 AND about_data(dataset, 'openo1-sft')
UNION ALL BY NAME
SELECT 'doubles, ' || size AS "case", about(ratio_low, ratio_high, 2, 0.1) AS supports,
       shown, source, 'size' AS tests
FROM against('fine_tuning', 'text', 'aec_w', 'full', 'lora') WHERE same_size AND billions > 24 AND about_data(dataset, 'openo1-sft')
UNION ALL BY NAME
SELECT 'above 24B' AS "case", NULL::BOOLEAN AS supports,
       format('missing: the largest model with full fine-tuning has {:g}B', max(size_b)) AS shown
FROM subjects WHERE axis = 'fine_tuning' AND modality = 'text' AND method = 'full' AND about_data(dataset, 'openo1-sft')
HAVING max(size_b) <= 24;
