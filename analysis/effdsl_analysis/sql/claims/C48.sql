-- Full fine-tuning has the highest AMU and AEC at 8B (Table 8).
SELECT * REPLACE ('AMU, ' || size AS "case")
FROM extreme('fine_tuning', 'text', 'amu_gb', 'full', 'highest') WHERE billions = 8 AND about_data(dataset, 'medical-o1-reasoning-sft')
UNION ALL
SELECT * REPLACE ('AEC, ' || size AS "case")
FROM extreme('fine_tuning', 'text', 'aec_w', 'full', 'highest') WHERE billions = 8 AND about_data(dataset, 'medical-o1-reasoning-sft');
