-- int4 has a lower AMU than bfloat16 in every model (Table 9).
FROM than('precision', 'text', 'amu_gb', 'int4', 'lower', 'bfloat16');
