-- Freeze has the lowest AL in every model (Tables 7 and 8).
FROM extreme('fine_tuning', 'text', 'al_s_per_iter', 'freeze', 'lowest');
