-- rsLoRA has a lower AEC than LoRA from 14B on (Table 7).
FROM than('fine_tuning', 'text', 'aec_w', 'rslora', 'lower', 'lora')
WHERE billions >= 14 AND about_data(dataset, 'openo1-sft');
