-- Mamba has the lowest AL at 1.5B (Table 6).
FROM extreme('backbone', 'text', 'al_s_per_iter', 'mamba', 'lowest') WHERE billions = 1.5;
