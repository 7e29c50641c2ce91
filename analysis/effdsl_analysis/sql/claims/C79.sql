-- Full fine-tuning of Qwen2.5-VL has the lowest AMU and the highest AL of its block (Table 12).
SELECT * REPLACE ('AMU, ' || size AS "case")
FROM extreme('fine_tuning', 'vision-language', 'amu_gb', 'full', 'lowest') WHERE size = 'qwen2.5-vl-7b'
UNION ALL
SELECT * REPLACE ('AL, ' || size AS "case")
FROM extreme('fine_tuning', 'vision-language', 'al_s_per_iter', 'full', 'highest') WHERE size = 'qwen2.5-vl-7b';
