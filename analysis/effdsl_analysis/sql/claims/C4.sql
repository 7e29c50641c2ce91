-- GQA has the lowest AL at 1.5B (Table 3).
FROM extreme('attention', 'text', 'al_s_per_iter', 'gqa', 'lowest') WHERE billions = 1.5;
