-- Learnable absolute encoding beats absolute encoding on every metric (Table 4).
SELECT * REPLACE ('PPL, ' || size AS "case") FROM than('position', 'text', 'ppl', 'learnable_absolute', 'lower', 'absolute')
UNION ALL SELECT * REPLACE ('AMU, ' || size AS "case")
FROM than('position', 'text', 'amu_gb', 'learnable_absolute', 'lower', 'absolute')
UNION ALL SELECT * REPLACE ('AL, ' || size AS "case")
FROM than('position', 'text', 'al_s_per_iter', 'learnable_absolute', 'lower', 'absolute')
UNION ALL SELECT * REPLACE ('AEC, ' || size AS "case")
FROM than('position', 'text', 'aec_w', 'learnable_absolute', 'lower', 'absolute')
UNION ALL SELECT * REPLACE ('TT, ' || size AS "case")
FROM than('position', 'text', 'tt_tokens_per_param_s', 'learnable_absolute', 'higher', 'absolute');
