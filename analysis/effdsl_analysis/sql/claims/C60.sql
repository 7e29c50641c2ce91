-- bfloat16 has a lower AEC than float16 (Table 9).
-- "Consistently" needs every model, and so does the verdict; for "in most models", as the paper says elsewhere, see how many
-- of them support it.
FROM than('precision', 'text', 'aec_w', 'bfloat16', 'lower', 'float16');
