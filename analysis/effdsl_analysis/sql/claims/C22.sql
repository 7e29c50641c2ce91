-- Mamba lowers AEC by about 25% (section 2.2) or by 22-25% (section 5.3.4; Table 6).
-- Against the transformer of its size. The two numbers are cases of their own.
WITH change AS (FROM against('backbone', 'text', 'aec_w', 'mamba', 'qwen2.5') WHERE same_size)
SELECT * REPLACE (size || ': lower' AS "case"), 'direction' AS tests
FROM than('backbone', 'text', 'aec_w', 'mamba', 'lower', 'qwen2.5')
UNION ALL BY NAME
SELECT size || ': by about 25%' AS "case", about(percent_low, percent_high, -25, 1) AS supports,
       format('{}; {:+.1f}%', shown, percent) || interval_shown(percent_low, percent_high) AS shown, source, technique,
       'size' AS tests
FROM change
UNION ALL BY NAME
SELECT size || ': by 22-25%' AS "case", roundly(percent_low, percent_high, -25, -22, 1) AS supports,
       format('{}; {:+.1f}%', shown, percent) || interval_shown(percent_low, percent_high) AS shown, source, technique,
       'size' AS tests
FROM change;
