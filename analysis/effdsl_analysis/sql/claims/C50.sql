-- int4 has a higher IT than bfloat16 in every model (Table 9).
FROM than('precision', 'text', 'it_tokens_per_s', 'int4', 'higher', 'bfloat16');
