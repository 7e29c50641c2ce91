-- rsLoRA has a lower loss than LoRA from 14B on (Table 7).
FROM than('fine_tuning', 'text', 'loss', 'rslora', 'lower', 'lora') SEMI JOIN (FROM subjects WHERE size_b >= 14) s ON s.size = "case";
