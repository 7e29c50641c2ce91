-- MoE lowers FID and AL and raises TT, AMU and AEC on every backbone (Table 11).
SELECT * REPLACE ('FID, ' || size AS "case") FROM than('feed_forward', 'image', 'fid', 'moe', 'lower', 'dense')
UNION ALL
SELECT * REPLACE ('AL, ' || size AS "case") FROM than('feed_forward', 'image', 'al_s_per_iter', 'moe', 'lower', 'dense')
UNION ALL
SELECT * REPLACE ('TT, ' || size AS "case") FROM than('feed_forward', 'image', 'tt_tokens_per_param_s', 'moe', 'higher', 'dense')
UNION ALL
SELECT * REPLACE ('AMU, ' || size AS "case") FROM than('feed_forward', 'image', 'amu_gb', 'moe', 'higher', 'dense')
UNION ALL
SELECT * REPLACE ('AEC, ' || size AS "case") FROM than('feed_forward', 'image', 'aec_w', 'moe', 'higher', 'dense');
