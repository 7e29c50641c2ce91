-- int4 has a lower AEC than bfloat16 in every model (Table 9).
FROM than('precision', 'text', 'aec_w', 'int4', 'lower', 'bfloat16');
