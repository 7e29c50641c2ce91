-- Relative encoding has the lowest AMU, AL and AEC and the highest TT (Table 4).
SELECT * REPLACE ('AMU, ' || size AS "case") FROM extreme('position', 'text', 'amu_gb', 'relative', 'lowest')
UNION ALL SELECT * REPLACE ('AL, ' || size AS "case") FROM extreme('position', 'text', 'al_s_per_iter', 'relative', 'lowest')
UNION ALL SELECT * REPLACE ('AEC, ' || size AS "case") FROM extreme('position', 'text', 'aec_w', 'relative', 'lowest')
UNION ALL SELECT * REPLACE ('TT, ' || size AS "case")
FROM extreme('position', 'text', 'tt_tokens_per_param_s', 'relative', 'highest');
