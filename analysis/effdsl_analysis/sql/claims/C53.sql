-- int4 cuts memory by up to 3.9x (Table 9).
FROM cut_up_to('precision', 'text', 'amu_gb', 'int4', 'bfloat16', 3.9);
