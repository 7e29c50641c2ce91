-- At 3B DoRA has the highest AL and AEC without a loss advantage (Table 8).
-- Without an advantage: another PEFT method has a lower loss.
SELECT * REPLACE ('AL, ' || size AS "case")
FROM extreme('fine_tuning', 'text', 'al_s_per_iter', 'dora', 'highest')
WHERE billions = 3 AND about_data(dataset, 'medical-o1-reasoning-sft')
UNION ALL
SELECT * REPLACE ('AEC, ' || size AS "case")
FROM extreme('fine_tuning', 'text', 'aec_w', 'dora', 'highest')
WHERE billions = 3 AND about_data(dataset, 'medical-o1-reasoning-sft')
UNION ALL
SELECT * REPLACE ('no loss advantage, ' || size AS "case", NOT supports AS supports)
FROM extreme_but('fine_tuning', 'text', 'loss', 'dora', 'lowest', ['full'])
WHERE billions = 3 AND about_data(dataset, 'medical-o1-reasoning-sft');
