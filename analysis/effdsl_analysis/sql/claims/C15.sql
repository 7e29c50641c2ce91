-- MoE raises memory by about 40% over a dense model of the same active size (Table 5).
-- Active: what one token passes through. Where that is not known exactly, top_k experts of the printed size: 1.5B×8 with
-- two experts per token is compared with dense 3B, and 0.5B×8 with nothing, as no dense 1B is there. Same: within 10%.
SELECT * REPLACE ("case" || ': higher' AS "case"), 'direction' AS tests
FROM pairwise('feed_forward', 'text', 'amu_gb', 'moe', 'higher', 'dense')
WHERE active_b BETWEEN 0.9 * other_active_b AND 1.1 * other_active_b
UNION ALL BY NAME
SELECT format('moe {}, dense {}: about 40%', size, other_size) AS "case",
       about(percent_low, percent_high, 40, 1) AS supports,
       format('{}; {:+.1f}%', shown, percent) || interval_shown(percent_low, percent_high) AS shown, source, technique,
       'size' AS tests
FROM against('feed_forward', 'text', 'amu_gb', 'moe', 'dense')
WHERE active_b BETWEEN 0.9 * other_active_b AND 1.1 * other_active_b;
