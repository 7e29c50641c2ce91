-- Freeze has a higher loss than the best LoRA-type method (Table 7).
-- So it does not have the lowest loss of the PEFT methods.
SELECT * REPLACE (NOT supports AS supports)
FROM extreme_but('fine_tuning', 'text', 'loss', 'freeze', 'lowest', ['full'])
WHERE about_data(dataset, 'openo1-sft');
