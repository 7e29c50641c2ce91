-- Mamba lowers AMU by about 25% (Table 6).
-- Against the transformer of its size.
SELECT * REPLACE (size || ': lower' AS "case"), 'direction' AS tests
FROM than('backbone', 'text', 'amu_gb', 'mamba', 'lower', 'qwen2.5')
UNION ALL BY NAME
SELECT size || ': by about 25%' AS "case", about(percent_low, percent_high, -25, 1) AS supports,
       format('{}; {:+.1f}%', shown, percent) || interval_shown(percent_low, percent_high) AS shown, source, technique,
       'size' AS tests
FROM against('backbone', 'text', 'amu_gb', 'mamba', 'qwen2.5') WHERE same_size;
