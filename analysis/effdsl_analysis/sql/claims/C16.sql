-- Both MoE models have higher AMU, AL and AEC than both dense models (Table 5).
-- Dense models from one expert's size to six times that, as in the table.
SELECT * REPLACE ('AMU, ' || "case" AS "case") FROM pairwise('feed_forward', 'text', 'amu_gb', 'moe', 'higher', 'dense')
WHERE other_billions BETWEEN billions AND 6 * billions
UNION ALL SELECT * REPLACE ('AL, ' || "case" AS "case")
FROM pairwise('feed_forward', 'text', 'al_s_per_iter', 'moe', 'higher', 'dense')
WHERE other_billions BETWEEN billions AND 6 * billions
UNION ALL SELECT * REPLACE ('AEC, ' || "case" AS "case")
FROM pairwise('feed_forward', 'text', 'aec_w', 'moe', 'higher', 'dense')
WHERE other_billions BETWEEN billions AND 6 * billions;
