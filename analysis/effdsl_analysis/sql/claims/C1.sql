-- MQA has the lowest AMU at every scale (Table 3).
FROM extreme('attention', 'text', 'amu_gb', 'mqa', 'lowest');
