-- rsLoRA has the lowest loss of all PEFT methods from 14B on (Table 7).
FROM extreme_but('fine_tuning', 'text', 'loss', 'rslora', 'lowest', ['full'])
WHERE billions >= 14 AND about_data(dataset, 'openo1-sft');
