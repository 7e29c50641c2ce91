-- bfloat16 has a lower AL than float16 (Table 9).
-- The table prints AL as a sum over the evaluation. The verdict is that of "consistently"; for "in most models", as the
-- paper says elsewhere, see how many of them contradict it.
FROM than('precision', 'text', 'sum_al_s', 'bfloat16', 'lower', 'float16');
