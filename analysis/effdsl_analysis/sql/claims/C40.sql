-- DoRA has the highest AL of all methods in every model (Tables 7 and 8).
FROM extreme('fine_tuning', 'text', 'al_s_per_iter', 'dora', 'highest');
