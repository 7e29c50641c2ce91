-- bfloat16 has a lower AL than float16 (Table 9).
-- The table prints AL as a sum over the evaluation. The paper says "consistently", which every model tests, and "in
-- most models", which is a case of its own.
WITH models AS (FROM than('precision', 'text', 'sum_al_s', 'bfloat16', 'lower', 'float16'))
FROM models
UNION ALL BY NAME
SELECT 'in most models' AS "case", most(supports) AS supports, share(supports) AS shown, setting, source
FROM models GROUP BY setting, source;
