-- DoRA has the highest AL of all methods (Table 12).
FROM extreme('fine_tuning', 'vision-language', 'al_s_per_iter', 'dora', 'highest');
