-- bfloat16 uses about 9% less energy than float16 (Table 9).
-- Energy is the AEC.
FROM less_on_average('precision', 'text', 'aec_w', 'bfloat16', 'float16', 9);
