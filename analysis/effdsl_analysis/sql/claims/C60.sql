-- bfloat16 has a lower AEC than float16 (Table 9).
-- "Consistently" asks for every case, "in most models" for more than half of them.
FROM than('precision', 'text', 'aec_w', 'bfloat16', 'lower', 'float16');
