-- MQA has the lowest AL at every scale (Table 3).
FROM extreme('attention', 'text', 'al_s_per_iter', 'mqa', 'lowest');
