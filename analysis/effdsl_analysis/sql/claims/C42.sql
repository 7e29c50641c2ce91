-- DoRA keeps a stable loss (Table 7).
-- Stable: in each model at most 10% above the loss of LoRA, from which it is built. Loss curves are not printed.
SELECT size AS "case", within(ratio_low, ratio_high, 0, 1.1) AS supports,
       format('{}; {:.3g}x (stable: up to 1.1x)', shown, ratio) AS shown, source, technique
FROM against('fine_tuning', 'text', 'loss', 'dora', 'lora')
WHERE same_size AND about_data(dataset, 'openo1-sft');
