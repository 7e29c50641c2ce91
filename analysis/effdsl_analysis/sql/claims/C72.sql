-- MQA has the lowest AL on DiT-XL/2 (Table 10).
FROM extreme('attention', 'image', 'al_s_per_iter', 'mqa', 'lowest') WHERE size = 'dit-xl-2';
