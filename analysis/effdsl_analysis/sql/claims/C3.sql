-- 42.24 GB (MQA) is the lowest AMU (Table 3).
-- Whose it is and the number are two cases. Only sizes of 0.5B to 3B can say.
FROM lowest_of_all('attention', 'text', 'amu_gb', 'mqa')
UNION ALL BY NAME FROM lowest_number('attention', 'text', 'amu_gb', 42.24, 0.01);
