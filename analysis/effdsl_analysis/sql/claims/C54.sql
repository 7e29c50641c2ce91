-- int4 cuts energy by up to 3.9x (Table 9).
-- Energy is the AEC.
FROM cut_up_to('precision', 'text', 'aec_w', 'int4', 'bfloat16', 3.9);
