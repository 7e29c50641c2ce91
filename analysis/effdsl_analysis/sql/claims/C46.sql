-- Freeze has the lowest loss and AL and the highest ST in all three models (Table 8).
SELECT * REPLACE ('loss, ' || size AS "case")
FROM extreme('fine_tuning', 'text', 'loss', 'freeze', 'lowest') WHERE about_data(dataset, 'medical-o1-reasoning-sft')
UNION ALL
SELECT * REPLACE ('AL, ' || size AS "case")
FROM extreme('fine_tuning', 'text', 'al_s_per_iter', 'freeze', 'lowest') WHERE about_data(dataset, 'medical-o1-reasoning-sft')
UNION ALL
SELECT * REPLACE ('ST, ' || size AS "case")
FROM extreme('fine_tuning', 'text', 'st_samples_per_param_s', 'freeze', 'highest') WHERE about_data(dataset, 'medical-o1-reasoning-sft');
