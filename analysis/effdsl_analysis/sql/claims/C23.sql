-- Mamba costs about 1 point of PPL (Table 6).
-- Against the transformer of its size.
SELECT * REPLACE (size || ': higher' AS "case"), 'direction' AS tests
FROM than('backbone', 'text', 'ppl', 'mamba', 'higher', 'qwen2.5')
UNION ALL BY NAME
SELECT size || ': by about 1' AS "case", about(difference_low, difference_high, 1, 1) AS supports,
       format('{}; {:+.2f}', shown, difference) || interval_shown(difference_low, difference_high) AS shown,
       source, technique, 'size' AS tests
FROM against('backbone', 'text', 'ppl', 'mamba', 'qwen2.5') WHERE same_size;
