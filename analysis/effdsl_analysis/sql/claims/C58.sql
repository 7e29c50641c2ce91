-- bfloat16 has a lower AL than float16 (Table 9).
-- The table prints AL as a sum over the evaluation. "Consistently" needs every model, and so does the verdict; for "in most
-- models", as the paper says elsewhere, see how many of them support it.
FROM than('precision', 'text', 'sum_al_s', 'bfloat16', 'lower', 'float16');
