-- LoRA-plus has a favourable AEC at 1B (Table 8).
-- Favourable: at most half of the other PEFT methods have a lower one.
FROM better_half('fine_tuning', 'text', 'aec_w', 'lora-plus', 'lowest', ['full'])
WHERE billions = 1 AND about_data(dataset, 'medical-o1-reasoning-sft');
