-- PiSSA has the lowest loss for Llama-3.2-3B (Table 7).
-- Full fine-tuning is no rival: the table leaves it out of its comparisons, its batch being another.
FROM extreme_but('fine_tuning', 'text', 'loss', 'pissa', 'lowest', ['full'])
WHERE size = 'llama-3.2-3b' AND about_data(dataset, 'openo1-sft');
