-- MoE on DiT-B/4 has about 50% higher TT (Table 11).
SELECT * REPLACE ('higher, ' || size AS "case"), 'direction' AS tests
FROM than('feed_forward', 'image', 'tt_tokens_per_param_s', 'moe', 'higher', 'dense') WHERE size = 'dit-b-4'
UNION ALL BY NAME
SELECT 'about 50%, ' || size AS "case", about(percent_low, percent_high, 50, 1) AS supports,
       format('{}; {:.3g}% higher', shown, percent) AS shown, source, technique,
       'size' AS tests
FROM against('feed_forward', 'image', 'tt_tokens_per_param_s', 'moe', 'dense') WHERE same_size AND size = 'dit-b-4';
