-- Full fine-tuning has the highest loss at 24B (Table 7).
FROM extreme('fine_tuning', 'text', 'loss', 'full', 'highest')
WHERE billions = 24 AND about_data(dataset, 'openo1-sft');
