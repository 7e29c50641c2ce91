-- Doing without a positional encoding is worst on every metric (Table 4).
-- Worst: the highest PPL, AMU, AL and AEC and the lowest TT, a case each.
SELECT * REPLACE ('PPL, ' || size AS "case") FROM extreme('position', 'text', 'ppl', 'none', 'highest')
UNION ALL SELECT * REPLACE ('AMU, ' || size AS "case") FROM extreme('position', 'text', 'amu_gb', 'none', 'highest')
UNION ALL SELECT * REPLACE ('AL, ' || size AS "case") FROM extreme('position', 'text', 'al_s_per_iter', 'none', 'highest')
UNION ALL SELECT * REPLACE ('AEC, ' || size AS "case") FROM extreme('position', 'text', 'aec_w', 'none', 'highest')
UNION ALL SELECT * REPLACE ('TT, ' || size AS "case")
FROM extreme('position', 'text', 'tt_tokens_per_param_s', 'none', 'lowest');
