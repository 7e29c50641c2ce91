-- bfloat16 has a lower AL than float16 (Table 9).
-- The table prints AL as a sum over the evaluation. "Consistently" asks for every case, "in most models" for more
-- than half of them.
FROM than('precision', 'text', 'sum_al_s', 'bfloat16', 'lower', 'float16');
