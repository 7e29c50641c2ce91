-- rsLoRA has a lower AL than LoRA from 14B on (Table 7).
FROM than('fine_tuning', 'text', 'al_s_per_iter', 'rslora', 'lower', 'lora')
WHERE billions >= 14 AND about_data(dataset, 'openo1-sft');
